"""Reward model: TRL's RewardTrainer, a model with one output that scores the better answer higher."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from slmkit.models.chat_template import render
from slmkit.models.lora import attach
from slmkit.models.memory import plan
from slmkit.models.reward_head import with_score_head
from slmkit.rows.preference_rows import Pair, check_lengths, pair_files, read_pairs
from slmkit.runs.run import Run
from slmkit.training.config import Training, shared
from slmkit.training.guards import Said
from slmkit.training.loop import finish, fit
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Input, Keys, Model

DISTRIBUTED = ("ddp",)  # ways in which several processes can run this stage

_NUM_PROBES = 50  # pairs on which base and trained, saved and trained are compared


def reward(run: Run, *, data: Input, model: Model, training: Keys[Training] = Training()) -> None:
    """Train a model to score answers, so that the better one of each pair scores higher.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}. The head is new; model/ holds it beside the adapter, or within the full weights.
    Source: Bradley and Terry 1952 by way of Ouyang et al. 2022, https://arxiv.org/abs/2203.02155, section 3.5.
    """
    training.refuse_gold(data)
    train_file, validation_file = pair_files(data)
    pairs = read_pairs(train_file)
    validation = read_pairs(validation_file) if validation_file else []
    run.note(f"{len(pairs):,} pairs to train on, {len(validation):,} to validate with")
    loaded = training.load(model, run.note)
    limit = training.longest(loaded)
    longest = check_lengths(loaded.tokenizer, [*pairs, *validation], longest=limit)
    scorer = with_score_head(loaded, seed=run.seed)
    say = partial(_judge, tokenizer=loaded.tokenizer, pairs=(validation or pairs)[:_NUM_PROBES])
    before = say(scorer)
    rate = training.rate(scorer, run.note)
    tuned = attach(scorer, training.lora, adapter=training.adapter, seed=run.seed, task_type="SEQ_CLS")
    micro_batch = plan(
        tuned,
        longest=2 * longest,  # a pair is two rows
        gradient_checkpointing=training.gradient_checkpointing,
    )
    run.note(micro_batch.reason)
    training = training.with_micro_batch(micro_batch.max_tokens // (2 * longest), run.note)
    steps = training.steps(len(pairs))

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from datasets import Dataset
        from trl import RewardConfig, RewardTrainer

        arguments = shared(
            training.arguments(
                run.dir / "checkpoints",
                model=tuned,
                steps=steps,
                learning_rate=rate,
                gradient_checkpointing=micro_batch.gradient_checkpointing,
                seed=run.seed,
                num_validation=len(validation),
            )
        )
        return guarded(RewardTrainer)(
            model=tuned,
            processing_class=loaded.tokenizer,
            args=RewardConfig(**arguments, max_length=None),
            train_dataset=Dataset.from_list([pair.row() for pair in pairs]),
            eval_dataset=Dataset.from_list([pair.row() for pair in validation]) if validation else None,
            shuffle=Shuffle(len(pairs), seed=run.seed),
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=steps, selection=training.selection)
    finish(run, fitted, model, say=say, before=before)
    run.metric(reward_accuracy=fitted.last("accuracy"), reward_margin=fitted.last("margin"))
    if validation:
        run.metric(validation_reward_accuracy=fitted.validated("validation_accuracy"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot train, before anything is loaded."""
    training.check(model, data)
    if data.exists():
        read_pairs(pair_files(data)[0], limit=100)


def _judge(model: Any, *, tokenizer: Any, pairs: Sequence[Pair]) -> Said:
    """Which answer of each pair scores higher (1: the better one), and by how much."""
    import torch

    was_training = model.training
    model.eval()
    margins = []
    for pair in pairs:
        chats = [pair.chat(turns).messages for turns in (pair.chosen, pair.rejected)]
        scores = []
        for ids in render(tokenizer, chats, add_generation_prompt=False):
            with torch.no_grad():
                scores.append(float(model(input_ids=torch.tensor([ids], device=model.device)).logits[0, 0]))
        margins.append(scores[0] - scores[1])
    model.train(was_training)
    return Said([[int(margin > 0)] for margin in margins], margins)
