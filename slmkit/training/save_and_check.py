"""Saves a trained model, reads it back, compares it with its base, and records the metrics that every method has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slmkit.errors import FailedError
from slmkit.models.lora import clean_saved_model, trainable_share
from slmkit.training.checkpoints import clear
from slmkit.training.fsdp import gather_model, is_fsdp_requested
from slmkit.training.guards import check_saved
from slmkit.training.predictions import Predictions
from slmkit.training.recorder import Recorder
from slmkit.training.train_model import TrainedModel
from slmkit.types import ModelRef

_UNCHANGED = 0.99  # a model that agrees with its base on this share of the probes counts as untrained


def save_and_check(
    run: Recorder,
    trained: TrainedModel,
    model: ModelRef,
    *,
    predict: Callable[[Any], Predictions],
    before: Predictions,
) -> None:
    """Saves the trained `model` to model/, checks what was saved, and records the metrics of every method.

    `predict` runs a model on the same probe rows each time; `before` is what the base predicted.
    Raises: FailedError if the saved model differs from the trained one, or the trained one equals its base.
    """
    trainer, folder = trained.trainer, run.path("model")
    if is_fsdp_requested():
        trainer.model, trainer.is_distributed_loading_by_transformers = gather_model(trainer.model), False
    if not run.is_main:
        return
    trainer.save_model(str(folder))
    clean_saved_model(folder, model)
    check_saved(trainer.model, folder)
    unchanged = _compare_with_base(run, before, predict(trainer.model))
    seconds = next(row["seconds"] for row in reversed(trained.log) if "loss" in row)
    run.metric(
        train_loss=trained.last("loss"),
        train_seconds=seconds,
        steps=float(trained.log[-1]["step"]),
        unchanged_answers=unchanged,
        trainable_share=trainable_share(trainer.model),
    )
    if tokens := trained.curve("tokens"):
        run.metric(tokens_per_second=tokens[-1] / max(seconds, 1e-9))
    if validation := trained.curve("validation_loss"):
        run.metric(validation_loss_before=validation[0], validation_loss=trained.validated("validation_loss"))
    clear(run.dir / "checkpoints")


def _compare_with_base(run: Recorder, before: Predictions, after: Predictions) -> float:
    """The share of probes with unchanged predictions; raises FailedError if training changed nothing."""
    num_probes = len(before.losses)
    if sum(a == b for a, b in zip(before.losses, after.losses, strict=True)) >= _UNCHANGED * num_probes:
        raise FailedError(
            "training changed nothing: the trained model predicts exactly what its base does",
            where=f"{num_probes} rows compared",
            fix="raise learning_rate or num_train_epochs",
        )
    unchanged = sum(a == b for a, b in zip(before.tokens, after.tokens, strict=True)) / num_probes
    if unchanged >= _UNCHANGED:
        run.note(
            f"warning: {unchanged:.0%} of {num_probes} answers are the same as before training. "
            "Raise num_train_epochs or learning_rate"
        )
    return unchanged
