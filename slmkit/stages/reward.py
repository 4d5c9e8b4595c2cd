"""Reward model: TRL's RewardTrainer, a model with one output that scores the better answer higher."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from slmkit.models.chat_template import render
from slmkit.models.reward_head import with_score_head
from slmkit.rows.preference_rows import Answered
from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.predictions import Predictions
from slmkit.training.prepare_model import prepare_model
from slmkit.training.prepare_preference import check_preferences, dataset, load_pairs
from slmkit.training.save_and_check import save_and_check
from slmkit.training.too_long import OnOverflow
from slmkit.training.train_model import train_model
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Input, Keys, Model

DISTRIBUTED = ("ddp",)  # how several processes can run this stage


def reward(
    run: Run,
    *,
    data: Input,
    model: Model,
    on_overflow: OnOverflow = "error",
    training: Keys[Training] = Training(),
) -> None:
    """Train a model to score answers, so that the better one of each pair scores higher.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}. The scoring head is new; model/ has it next to the adapter, or among the full weights.
    on_overflow: rows above max_length are dropped; with "error" the run fails if they are more than 1%.
    Source: Bradley and Terry 1952, as used by Ouyang et al. 2022, https://arxiv.org/abs/2203.02155, section 3.5.
    """
    pairs = load_pairs(run, training, data=data, model=model, on_overflow=on_overflow)
    tokenizer = pairs.loaded.tokenizer
    prepared = prepare_model(
        run,
        training,
        with_score_head(pairs.loaded, seed=run.seed),
        predict=partial(_score_pairs, tokenizer=tokenizer, pairs=pairs.probes),
        longest=2 * pairs.longest,  # a pair is two rows
        num_rows=len(pairs.pairs),
        num_validation=len(pairs.validation),
        task_type="SEQ_CLS",
    )

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from trl import RewardConfig, RewardTrainer

        return guarded(RewardTrainer)(
            model=prepared.model,
            processing_class=tokenizer,
            args=RewardConfig(**prepared.arguments, max_length=None),
            train_dataset=dataset(list(map(_whole, pairs.columns))),
            eval_dataset=dataset(list(map(_whole, pairs.validation_columns))) if pairs.validation else None,
            shuffle=Shuffle(len(pairs.pairs), seed=run.seed),
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(reward_accuracy=trained.last("accuracy"), reward_margin=trained.last("margin"))
    if pairs.validation:
        run.metric(validation_reward_accuracy=trained.validated("validation_accuracy"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    check_preferences(training, data=data, model=model)


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """A pair's tokens as RewardTrainer reads them: each answer with its prompt."""
    return {f"{name}_ids": [*row["prompt_ids"], *row[f"{name}_ids"]] for name in ("chosen", "rejected")}


def _score_pairs(model: Any, *, tokenizer: Any, pairs: Sequence[Answered]) -> Predictions:
    """Whether the chosen answer of each pair scores higher (1) or not (0), and the margin in place of a loss."""
    import torch

    was_training = model.training
    model.eval()
    margins = []
    for pair in pairs:
        chats = [chat.messages for chat in pair.chats]
        scores = []
        for ids in render(tokenizer, chats, tools=[pair.tools] * 2, add_generation_prompt=False):
            with torch.no_grad():
                scores.append(float(model(input_ids=torch.tensor([ids], device=model.device)).logits[0, 0]))
        margins.append(scores[0] - scores[1])
    model.train(was_training)
    return Predictions([[int(margin > 0)] for margin in margins], margins)
