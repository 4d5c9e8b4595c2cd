"""Epochs and validation follow the model's size and the number of rows, and a long run says so before it starts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slmkit.training.budget import auto_epochs, num_evaluations, validation_rows
from slmkit.training.config import Training
from slmkit.training.time_estimate import time_note
from slmkit.training.train_model import _is_learned


def test_a_small_model_trains_for_four_epochs_and_a_pretrained_one_for_fewer_with_more_rows():
    assert auto_epochs(1_000_000, 1_000)[0] == 4
    assert [auto_epochs(135_000_000, rows)[0] for rows in (100, 500, 501, 2_000, 2_001)] == [3, 3, 2, 2, 1]


def test_auto_becomes_a_number_with_its_reason_and_a_number_stays(nano):
    notes: list[str] = []
    found = Training(num_train_epochs="auto").with_epochs(nano.model, 16, notes.append)
    assert found.num_train_epochs == 4
    assert found.num_steps(16) == 8
    assert len(notes) == 1 and "4" in notes[0]
    fixed = Training(num_train_epochs=2.5)
    assert fixed.with_epochs(nano.model, 16, notes.append) is fixed
    Training(num_train_epochs="auto", max_steps=3).with_epochs(nano.model, 16, notes.append)
    assert len(notes) == 1  # max_steps decides


@given(available=st.integers(0, 5_000), trained=st.integers(1, 100_000), chooses=st.booleans())
def test_validation_takes_a_tenth_of_the_time_unless_that_is_too_few_rows(available, trained, chooses):
    rows = validation_rows(available, trained_rows=trained, chooses=chooses)
    least = 50 if chooses else 10
    assert min(available, least) <= rows <= available
    assert rows <= least or rows * (11 if chooses else 2) * 0.5 <= 0.1 * trained
    often = num_evaluations(rows, trained_rows=trained)
    assert 1 <= often <= 10
    assert often == 1 or rows * (often + 1) * 0.5 <= 0.1 * trained


def test_the_examples_of_the_docstrings_hold():
    assert [validation_rows(300, trained_rows=rows) for rows in (80, 1_000)] == [10, 100]
    assert validation_rows(300, trained_rows=1_000, chooses=True) == 50
    assert num_evaluations(30, trained_rows=1_000) == 5


def test_a_long_run_says_how_long_and_what_to_change_and_a_short_one_nothing():
    assert time_note(100, steps=20, on_cpu=True) is None
    note = time_note(840, steps=156, on_cpu=True)
    assert note.startswith("about 14 min for 156 steps")
    assert "max_steps=33 takes about 3 min" in note and "--profile gpu" in note
    assert "--profile" not in time_note(840, steps=156, on_cpu=False)
    assert "2.5 h" in time_note(9_000, steps=1, on_cpu=True)


def test_rows_are_learned_when_the_loss_of_a_whole_epoch_is_next_to_nothing():
    def log(*losses: float) -> list[dict[str, float]]:
        return [{"step": step, "loss": loss} for step, loss in enumerate(losses, 1)]

    assert not _is_learned([], 2)
    assert not _is_learned(log(0.001), 2)  # half an epoch
    assert not _is_learned(log(0.3, 0.001), 2)
    assert _is_learned(log(0.3, 0.001, 0.004), 2)
    assert _is_learned([*log(0.3, 0.001, 0.004), {"step": 3, "validation_loss": 1.0}], 2)
