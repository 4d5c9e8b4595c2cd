"""Kahneman-Tversky optimization: TRL's KTOTrainer on answers that were liked or not."""

from __future__ import annotations

from typing import Any

from slmkit.rows.preference_rows import pair_files, read_pairs
from slmkit.runs.run import Run
from slmkit.training.config import Training
from slmkit.training.loop import finish, fit
from slmkit.training.prepare_preference import prepare_preferences
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Input, Keys, Model, NonNegativeFloat

DISTRIBUTED = ("ddp",)  # ways in which several processes can run this stage


def kto(
    run: Run,
    *,
    data: Input,
    model: Model,
    beta: float = 0.1,
    desirable_weight: NonNegativeFloat = 1.0,
    undesirable_weight: NonNegativeFloat = 1.0,
    training: Keys[Training] = Training(),
) -> None:
    """Teach a model from thumbs up and thumbs down: each answer of a pair counts by itself.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}; a pair gives two rows. The weights balance liked against disliked answers.
    Source: Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306.
    """
    ready = prepare_preferences(run, training, data=data, model=model, seed=run.seed, usual_rate=2e-5, rows_per_pair=2)

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from datasets import Dataset
        from trl import KTOConfig, KTOTrainer

        rows = [row for pair in ready.pairs for row in pair.judged()]
        order = Shuffle(len(rows), seed=run.seed)  # once: TRL pairs each row with a neighbour
        validation = [row for pair in ready.validation for row in pair.judged()]
        return guarded(KTOTrainer)(
            model=ready.model,
            ref_model=ready.reference,
            processing_class=ready.loaded.tokenizer,
            args=KTOConfig(
                **ready.arguments,
                beta=beta,
                desirable_weight=desirable_weight,
                undesirable_weight=undesirable_weight,
                max_length=None,
            ),
            train_dataset=Dataset.from_list([rows[i] for i in order]),
            eval_dataset=Dataset.from_list(validation) if validation else None,
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=ready.steps, selection=training.selection)
    finish(run, fitted, model, say=ready.say, before=ready.before)
    run.metric(reward_margin=fitted.last("rewards_margins"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot train, before anything is loaded."""
    training.check(model, data)
    if data.exists():
        read_pairs(pair_files(data)[0], limit=100)
