"""Odds-ratio preference optimization: TRL's ORPOTrainer, fine-tuning and preference in one step."""

from __future__ import annotations

from typing import Any

from slmkit.rows.preference_rows import pair_files, read_pairs
from slmkit.runs.run import Run
from slmkit.training.config import Training
from slmkit.training.loop import finish, fit
from slmkit.training.prepare_preference import prepare_preferences
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
    """Fine-tune on the better answer and push the worse one away, with no reference model.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}. beta weighs the odds ratio beside the usual loss.
    Source: Hong et al. 2024, https://arxiv.org/abs/2403.07691.
    """
    ready = prepare_preferences(
        run,
        training,
        data=data,
        model=model,
        seed=run.seed,
        usual_rate=8e-5,
        with_reference=False,
    )

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        import warnings

        from datasets import Dataset

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is experimental: the versions tested are pinned
            from trl.experimental.orpo import ORPOConfig, ORPOTrainer

        return guarded(ORPOTrainer)(
            model=ready.model,
            processing_class=ready.loaded.tokenizer,
            args=ORPOConfig(**ready.arguments, beta=beta, max_length=ready.longest),
            train_dataset=Dataset.from_list([pair.row() for pair in ready.pairs]),
            eval_dataset=Dataset.from_list([pair.row() for pair in ready.validation]) if ready.validation else None,
            shuffle=Shuffle(len(ready.pairs), seed=run.seed),
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=ready.steps, selection=training.selection)
    finish(run, fitted, model, say=ready.say, before=ready.before)
    run.metric(reward_margin=fitted.last("rewards_margins"), reward_accuracy=fitted.last("rewards_accuracies"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot train, before anything is loaded."""
    training.check(model, data)
    if data.exists():
        read_pairs(pair_files(data)[0], limit=100)
