"""The best evaluation, and when to stop waiting for a better one."""

from __future__ import annotations

import pytest

from slmkit.errors import SlmkitError
from slmkit.training.best_checkpoint import Selection
from slmkit.training.checkpoints import publish

LOG = [
    {"step": step, "validation_loss": loss} for step, loss in ((0, 0.1), (10, 0.9), (20, 0.5), (30, 0.6), (40, 0.5))
]


def test_a_loss_is_best_when_least_and_anything_else_when_greatest():
    assert Selection(metric="validation_loss", patience=None, take_best=True).best_step(LOG) == 20
    log = [{"step": row["step"], "validation_accuracy": row["validation_loss"]} for row in LOG]
    assert Selection(metric="validation_accuracy", patience=None, take_best=True).best_step(log) == 10


@pytest.mark.parametrize(("patience", "over_at"), [(1, 4), (2, 5), (3, None)])
def test_training_is_over_after_as_many_evaluations_that_are_no_better(patience, over_at):
    selection = Selection(metric="validation_loss", patience=patience, take_best=False)
    over = [end for end in range(len(LOG) + 1) if selection.is_over(LOG[:end])]
    assert over[:1] == ([over_at] if over_at else [])


def test_a_metric_that_is_not_measured_is_named_with_those_that_are():
    with pytest.raises(SlmkitError, match="has no 'accuracy'") as error:
        Selection(metric="validation_accuracy", patience=None, take_best=True).check({"validation_loss": 1.0})
    assert error.value.fix == "one of loss"


def test_the_best_checkpoint_stays_when_newer_ones_come(tmp_path):
    for step in (10, 20, 30, 40):
        (tmp_path / "partial" / f"checkpoint-{step}").mkdir(parents=True)
        publish(tmp_path / "partial" / f"checkpoint-{step}", best_step=min(step, 20))
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-20", "checkpoint-40"]
