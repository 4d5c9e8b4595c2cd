"""Kahneman-Tversky optimization: TRL's KTOTrainer on answers labelled desirable or undesirable."""

from __future__ import annotations

from typing import Any

from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.prepare_preference import check_preferences, prepare_preferences
from slmkit.training.save_and_check import save_and_check
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
    training: Keys[Training] = Training(),
) -> None:
    """Teach a model from thumbs up and thumbs down, without comparing the answers of a pair.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}; a pair gives two rows, one desirable and one undesirable. The two weights balance them.
    Source: Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306.
    """
    preferences = prepare_preferences(run, training, data=data, model=model, rate_at_2048=2e-5, rows_per_pair=2)
    prepared = preferences.prepared

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from datasets import Dataset
        from trl import KTOConfig, KTOTrainer

        rows = [row for pair in preferences.data.pairs for row in pair.unpaired_columns()]
        order = Shuffle(len(rows), seed=run.seed)  # once: TRL matches each row with a neighbour
        validation = [row for pair in preferences.data.validation for row in pair.unpaired_columns()]
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
            train_dataset=Dataset.from_list([rows[i] for i in order]),
            eval_dataset=Dataset.from_list(validation) if validation else None,
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(reward_margin=trained.last("rewards_margins"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    check_preferences(training, data=data, model=model)
