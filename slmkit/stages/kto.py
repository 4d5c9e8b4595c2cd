"""Kahneman-Tversky optimization: TRL's KTOTrainer on answers labelled desirable or undesirable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmkit.errors import RefusedError
from slmkit.rows.preference_rows import Answered, one_class, read_judged
from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.prepare_preference import check_preferences, dataset, prepare_preferences
from slmkit.training.save_and_check import save_and_check
from slmkit.training.too_long import OnOverflow
from slmkit.training.train_model import train_model
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Input, Keys, Model, NonNegativeFloat

DISTRIBUTED = ("ddp",)  # how several processes can run this stage


def kto(
    run: Run,
    *,
    data: Input,
    model: Model,
    beta: float = 0.1,
    desirable_weight: NonNegativeFloat = 1.0,
    undesirable_weight: NonNegativeFloat = 1.0,
    on_overflow: OnOverflow = "error",
    training: Keys[Training] = Training(),
) -> None:
    """Teach a model from thumbs up and thumbs down, without comparing the answers of a pair.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "completion",
    "label"}, where label is true for a desirable answer, or {"prompt", "chosen", "rejected"}, which gives two rows.
    The two weights balance them.
    on_overflow: rows above max_length are dropped; with "error" the run fails if they are more than 1%.
    Source: Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306.
    """
    preferences = prepare_preferences(
        run,
        training,
        data=data,
        model=model,
        on_overflow=on_overflow,
        rate_at_2048=2e-5,
        read=read_judged,
        refuse=_refuse_one_class,
    )
    prepared = preferences.prepared

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from trl import KTOConfig, KTOTrainer

        rows, validation = preferences.data.columns, preferences.data.validation_columns
        order = Shuffle(len(rows), seed=run.seed)  # once: each row is matched with a neighbour
        size = prepared.arguments["per_device_train_batch_size"]
        return guarded(KTOTrainer)(
            model=prepared.model,
            ref_model=preferences.reference,
            processing_class=preferences.data.loaded.tokenizer,
            args=KTOConfig(
                **prepared.arguments,
                beta=beta,
                desirable_weight=desirable_weight,
                undesirable_weight=undesirable_weight,
                max_length=None,
            ),
            train_dataset=dataset(_with_neighbours([rows[i] for i in order], size)),
            eval_dataset=dataset(_with_neighbours(validation, size)) if validation else None,
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(reward_margin=trained.last("rewards_margins"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    check_preferences(training, data=data, model=model, read=read_judged)


def _refuse_one_class(rows: list[Answered]) -> None:
    """Raises RefusedError if all answers are good, or all bad: there would be nothing to tell apart."""
    if wrong := one_class([bool(row.label) for row in rows]):
        raise RefusedError(wrong, where="label", fix="add answers with the other label, or use another stage")


def _with_neighbours(rows: Sequence[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """The rows, each with the answer of the row before it in its batch, from which the KL divergence is estimated.

    Source: TRL's KTOTrainer, which pairs them in the same way.
    """
    found = []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        found += [
            {**row, "KL_completion_ids": batch[i - 1]["completion_ids"]} for i, row in enumerate(batch)
        ]  # the first gets the last one's
    return found
