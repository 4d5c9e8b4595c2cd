"""Prepares a loaded model for training: probes, learning rate, adapter, micro-batch and the trainer's config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from slmkit.models.lora import attach
from slmkit.models.memory import MicroBatch, computes_side_by_side, plan_micro_batch
from slmkit.models.unsloth import attach_unsloth
from slmkit.training.config import Training, per_process
from slmkit.training.predictions import Predictions
from slmkit.training.recorder import Recorder

NUM_PROBES = 50  # rows on which a model is compared before and after training, and before and after saving
_NUM_PROBES_OF_LARGE = 10  # of a model for which a CPU needs about a second per row


@dataclass(frozen=True)
class PreparedModel:
    """A model with its adapter, and what its trainer needs."""

    model: Any
    micro_batch: MicroBatch
    steps: int
    arguments: dict[str, Any]  # for the config of the TRL trainer
    predict: Callable[[Any], Predictions]  # runs a model on the probes
    before: Predictions  # the base model's predictions on the probe rows


def num_probes(model: Any) -> int:
    """The number of rows on which this model is compared."""
    return _NUM_PROBES_OF_LARGE if computes_side_by_side(model) else NUM_PROBES


def prepare_model(
    run: Recorder,
    training: Training,
    model: Any,
    *,
    predict: Callable[[Any], Predictions],
    longest: int,
    num_rows: int,
    num_validation: int = 0,
    rate_at_2048: float = 2e-4,
    labelled_share: float = 0.5,
    task_type: Literal["CAUSAL_LM", "SEQ_CLS"] = "CAUSAL_LM",
    backend: Literal["transformers", "unsloth"] = "transformers",
    trainer_cuts_steps: bool = False,
) -> PreparedModel:
    """Puts the adapter on the model, fits the micro-batch into memory, and fills in the trainer's config.

    longest: the most tokens that one unit of the batch has, a pair counting as two rows. rate_at_2048: the method's
    learning rate for an adapter at width 2,048. trainer_cuts_steps: the trainer cuts a step into micro-batches and
    shares it among processes on its own; otherwise both follow from the config.
    """
    before = predict(model)
    learning_rate = training.find_learning_rate(model, run.note, rate_at_2048=rate_at_2048)
    if backend == "unsloth":
        tuned = attach_unsloth(model, training.lora, adapter=training.adapter, seed=run.seed)
    else:
        tuned = attach(model, training.lora, adapter=training.adapter, seed=run.seed, task_type=task_type)
    micro_batch = plan_micro_batch(
        tuned,
        longest=longest,
        labelled_share=labelled_share,
        gradient_checkpointing=training.gradient_checkpointing,
    )
    run.note(micro_batch.reason)
    if not trainer_cuts_steps:
        training = training.with_micro_batch(micro_batch.max_tokens // longest, run.note)
    training = training.with_epochs(tuned, num_rows, run.note)
    steps = training.num_steps(num_rows)
    arguments = training.trainer_arguments(
        run.dir / "checkpoints",
        model=tuned,
        steps=steps,
        learning_rate=learning_rate,
        gradient_checkpointing=micro_batch.gradient_checkpointing,
        seed=run.seed,
        num_validation=num_validation,
    )
    if not trainer_cuts_steps:
        arguments = per_process(arguments)
    return PreparedModel(tuned, micro_batch, steps, arguments, predict, before)
