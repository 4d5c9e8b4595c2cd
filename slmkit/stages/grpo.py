"""Group relative policy optimization: TRL's GRPOTrainer, with metrics that a program can verify as rewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slmkit.errors import FailedError, SlmkitError
from slmkit.evaluation.with_calls import with_calls
from slmkit.rows.read_rows import train_file
from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.prepare_prompts import prepare_prompts, read_prompts
from slmkit.training.save_and_check import save_and_check
from slmkit.training.train_model import train_model
from slmkit.training.trainer import OnLog, OnStep, guarded
from slmkit.types import Answer, Example, Input, Keys, MetricPart, Model, PositiveFloat, PositiveInt


def grpo(
    run: Run,
    *,
    data: Input,
    model: Model,
    rewards: list[MetricPart],
    reward_weights: list[float] | None = None,
    num_generations: PositiveInt = 8,
    max_new_tokens: PositiveInt = 64,
    temperature: PositiveFloat = 1.0,
    beta: float = 0.0,
    training: Keys[Training] = Training(per_device_train_batch_size=16),
) -> None:
    """Reinforce the answers that score above their group's mean, with metrics as rewards.

    `data` is a prepare run or a .jsonl file of messages: the last assistant turn is the target, with which the metrics
    compare. Each prompt is answered num_generations times; a step has per_device_train_batch_size *
    gradient_accumulation_steps answers. beta: how strongly the starting model is kept (0: no reference model). A trial
    step on the longest prompt comes before the first, so the rewards are called once more than there are steps.
    Source: Shao et al. 2024, https://arxiv.org/abs/2402.03300.
    """
    prompts = prepare_prompts(
        run,
        training,
        data=data,
        model=model,
        max_new_tokens=max_new_tokens,
        rate_at_2048=1e-5,
        rows_per_prompt=num_generations,
    )
    prepared = prompts.prepared

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from trl import GRPOConfig, GRPOTrainer

        return guarded(GRPOTrainer)(
            model=prepared.model,
            reward_funcs=[_reward(metric, prompts.examples) for metric in rewards],
            processing_class=prompts.loaded.tokenizer,
            args=GRPOConfig(
                **prepared.arguments,
                reward_weights=reward_weights,
                num_generations=num_generations,
                max_completion_length=max_new_tokens,
                temperature=temperature,
                beta=beta,
            ),
            train_dataset=prompts.train_dataset,
            longest_prompt=prompts.longest_row,
            allow_no_gradient=True,
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    if not any(trained.curve("reward_std")):
        raise FailedError(
            "in every step all answers to a prompt got the same reward, so there was nothing to learn",
            where=f"{prepared.steps} steps of {training.rows_per_step} answers, reward {trained.last('reward'):.2f}",
            fix="use a reward with partial credit (f1 for exact_match), easier prompts, or a higher temperature",
        )
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(reward_before=trained.first("reward"), reward=trained.last("reward"))


def check(
    *,
    data: Input,
    model: Model,
    rewards: list[MetricPart],
    reward_weights: list[float] | None = None,
    num_generations: PositiveInt = 8,
    training: Training,
    **_: Any,
) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    training.check(model, data)
    if not rewards:
        raise SlmkitError("no rewards given", where="rewards", fix="rewards: [exact_match]")
    if reward_weights is not None and len(reward_weights) != len(rewards):
        raise SlmkitError(
            f"{len(rewards)} rewards but {len(reward_weights)} weights",
            where="reward_weights",
            fix="set one weight per reward",
        )
    answers = training.rows_per_step
    if num_generations < 2 or answers % num_generations:
        raise SlmkitError(
            f"{answers} answers per step cannot be split into groups of {num_generations}",
            where="num_generations, per_device_train_batch_size",
            fix=f"per_device_train_batch_size: {max(2, num_generations) * max(1, answers // max(2, num_generations))}",
        )
    if data.exists():
        read_prompts(train_file(data), limit=100)


def _reward(metric: Callable[[Example, Answer], float], examples: Sequence[Example]) -> Callable[..., list[float]]:
    """The metric as a reward function, which TRL calls with a batch of completions and the number of each prompt."""

    def reward(completions: Sequence[str], number: Sequence[int], **columns: Any) -> list[float]:
        asked = [examples[i] for i in number]
        said = [
            with_calls(example, Answer(example.id, text)) for example, text in zip(asked, completions, strict=True)
        ]
        return [float(metric(example, answer)) for example, answer in zip(asked, said, strict=True)]

    reward.__name__ = str(getattr(metric, "label", getattr(metric, "__name__", "reward")))
    return reward
