"""Odds-ratio preference optimization: TRL's ORPOTrainer, which fine-tunes and learns preferences at once."""

from __future__ import annotations

from typing import Any

from slmkit.rows.loss_mask import IGNORED
from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.prepare_preference import check_preferences, dataset, prepare_preferences
from slmkit.training.save_and_check import save_and_check
from slmkit.training.too_long import OnOverflow
from slmkit.training.train_model import train_model
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Input, Keys, Model


def orpo(
    run: Run,
    *,
    data: Input,
    model: Model,
    beta: float = 0.1,
    on_overflow: OnOverflow = "error",
    training: Keys[Training] = Training(),
) -> None:
    """Fine-tune on the better answer and make the worse one less likely, without a reference model.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}. beta: the weight of the odds ratio, added to the usual loss.
    on_overflow: rows above max_length are dropped; with "error" the run fails if they are more than 1%.
    Source: Hong et al. 2024, https://arxiv.org/abs/2403.07691.
    """
    preferences = prepare_preferences(
        run, training, data=data, model=model, on_overflow=on_overflow, rate_at_2048=8e-5, with_reference=False
    )
    prepared, pairs = preferences.prepared, preferences.data

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "experimental": the tested versions are pinned
            from trl.experimental.orpo import ORPOConfig, ORPOTrainer

        class Tokenized(ORPOTrainer):  # type: ignore[misc]
            def tokenize_row(self, feature: dict[str, Any], model: Any = None) -> dict[str, Any]:
                return feature

        return guarded(Tokenized)(
            model=prepared.model,
            processing_class=pairs.loaded.tokenizer,
            args=ORPOConfig(**prepared.arguments, beta=beta, max_length=pairs.longest),
            train_dataset=dataset(list(map(_columns, pairs.columns))),
            eval_dataset=dataset(list(map(_columns, pairs.validation_columns))) if pairs.validation else None,
            shuffle=Shuffle(len(pairs.pairs), seed=run.seed),
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(reward_margin=trained.last("rewards_margins"), reward_accuracy=trained.last("rewards_accuracies"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    check_preferences(training, data=data, model=model)


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    """A pair's tokens in the columns that ORPOTrainer makes itself: whole sequences, with labels on the answer."""
    prompt: list[int] = row["prompt_ids"]
    columns: dict[str, Any] = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
    for name in ("chosen", "rejected"):
        answer: list[int] = row[f"{name}_ids"]
        columns[f"{name}_input_ids"] = [*prompt, *answer]
        columns[f"{name}_attention_mask"] = [1] * (len(prompt) + len(answer))
        columns[f"{name}_labels"] = [IGNORED] * len(prompt) + answer
    return columns
