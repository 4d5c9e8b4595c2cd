"""Which evaluation is the best, and when training stops early."""

from __future__ import annotations

import pytest

from slmkit.errors import SlmkitError
from slmkit.training.best_checkpoint import BestCheckpoint
from slmkit.training.checkpoints import publish

LOG = [
    {"step": step, "validation_loss": loss} for step, loss in ((0, 0.1), (10, 0.9), (20, 0.5), (30, 0.6), (40, 0.5))
]


def test_a_loss_is_best_when_lowest_and_other_metrics_when_highest():
    assert BestCheckpoint(metric="validation_loss", patience=None, restore=True).best_step(LOG) == 20
    log = [{"step": row["step"], "validation_accuracy": row["validation_loss"]} for row in LOG]
    assert BestCheckpoint(metric="validation_accuracy", patience=None, restore=True).best_step(log) == 10


@pytest.mark.parametrize(("patience", "num_evaluations"), [(1, 4), (2, 5), (3, None)])
def test_training_stops_after_patience_evaluations_without_improvement(patience, num_evaluations):
    best_checkpoint = BestCheckpoint(metric="validation_loss", patience=patience, restore=False)
    stops = [end for end in range(len(LOG) + 1) if best_checkpoint.should_stop(LOG[:end])]
    assert stops[:1] == ([num_evaluations] if num_evaluations else [])


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(SlmkitError, match="'accuracy'") as error:
        BestCheckpoint(metric="validation_accuracy", patience=None, restore=True).check({"validation_loss": 1.0})
    assert error.value.where == "metric_for_best_model"
    assert "loss" in error.value.fix


def test_the_best_checkpoint_is_kept_when_newer_ones_are_written(tmp_path):
    for step in (10, 20, 30, 40):
        (tmp_path / "partial" / f"checkpoint-{step}").mkdir(parents=True)
        publish(tmp_path / "partial" / f"checkpoint-{step}", best_step=min(step, 20))
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-20", "checkpoint-40"]
