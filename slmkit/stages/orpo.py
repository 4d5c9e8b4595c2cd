"""Odds-ratio preference optimization: TRL's ORPOTrainer, which fine-tunes and learns preferences at once."""

from __future__ import annotations

from typing import Any

from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.prepare_preference import check_preferences, prepare_preferences
from slmkit.training.save_and_check import save_and_check
from slmkit.training.train_model import train_model
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Input, Keys, Model


def orpo(
    run: Run,
    *,
    data: Input,
    model: Model,
    beta: float = 0.1,
    training: Keys[Training] = Training(),
) -> None:
    """Fine-tune on the better answer and make the worse one less likely, without a reference model.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}. beta: the weight of the odds ratio, added to the usual loss.
    Source: Hong et al. 2024, https://arxiv.org/abs/2403.07691.
    """
    preferences = prepare_preferences(run, training, data=data, model=model, rate_at_2048=8e-5, with_reference=False)
    prepared = preferences.prepared

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "experimental": the tested versions are pinned
            from trl.experimental.orpo import ORPOConfig, ORPOTrainer

        return guarded(ORPOTrainer)(
            model=prepared.model,
            processing_class=preferences.data.loaded.tokenizer,
            args=ORPOConfig(**prepared.arguments, beta=beta, max_length=preferences.data.longest),
            train_dataset=preferences.data.train_dataset,
            eval_dataset=preferences.data.eval_dataset,
            shuffle=Shuffle(len(preferences.data.pairs), seed=run.seed),
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(reward_margin=trained.last("rewards_margins"), reward_accuracy=trained.last("rewards_accuracies"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    check_preferences(training, data=data, model=model)
