"""Direct preference optimization: TRL's DPOTrainer on pairs of a chosen and a rejected answer."""

from __future__ import annotations

from typing import Any, Literal

from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.prepare_preference import check_preferences, prepare_preferences
from slmkit.training.save_and_check import save_and_check
from slmkit.training.too_long import OnOverflow
from slmkit.training.train_model import train_model
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Fraction, Input, Keys, Model

DISTRIBUTED = ("ddp",)  # how several processes can run this stage


def dpo(
    run: Run,
    *,
    data: Input,
    model: Model,
    beta: float = 0.1,
    loss_type: Literal["sigmoid", "ipo", "hinge", "robust", "exo_pair", "bco_pair", "apo_zero"] = "sigmoid",
    label_smoothing: Fraction = 0.0,
    on_overflow: OnOverflow = "error",
    training: Keys[Training] = Training(),
) -> None:
    """Teach a model to prefer the better of two answers, while staying close to the model it started from.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}. beta: how strongly the starting model is kept; label_smoothing: the share of pairs assumed to be
    mislabelled (used by sigmoid, robust and exo_pair).
    on_overflow: rows above max_length are dropped; with "error" the run fails if they are more than 1%.
    Source: Rafailov et al. 2023, https://arxiv.org/abs/2305.18290.
    """
    preferences = prepare_preferences(
        run, training, data=data, model=model, on_overflow=on_overflow, rate_at_2048=2e-5
    )
    prepared = preferences.prepared

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from trl import DPOConfig, DPOTrainer

        return guarded(DPOTrainer)(
            model=prepared.model,
            ref_model=preferences.reference,
            processing_class=preferences.data.loaded.tokenizer,
            args=DPOConfig(
                **prepared.arguments,
                beta=beta,
                loss_type=[loss_type],
                label_smoothing=label_smoothing,
                max_length=None,
            ),
            train_dataset=preferences.data.train_dataset,
            eval_dataset=preferences.data.eval_dataset,
            shuffle=Shuffle(len(preferences.data.pairs), seed=run.seed),
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(reward_margin=trained.last("rewards_margins"), reward_accuracy=trained.last("rewards_accuracies"))
    if preferences.data.validation:
        run.metric(validation_reward_accuracy=trained.validated("validation_rewards_accuracies"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    check_preferences(training, data=data, model=model)
