"""Group relative policy optimization: TRL's GRPOTrainer, rewarded by metrics that a program can check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slmkit.errors import FailedError, SlmkitError
from slmkit.runs.run import Run
from slmkit.training.config import Training
from slmkit.training.loop import finish, fit
from slmkit.training.prepare_prompts import prepare_prompts, prompt_file, read_prompts
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
    """Reinforce the answers that score above their group's mean, by rewards that a metric can verify.

    `data` is a prepare run or a .jsonl of messages: the last assistant turn is the target that the metrics compare
    with. Each prompt is answered num_generations times; a step sees per_device_train_batch_size *
    gradient_accumulation_steps answers. beta: how strongly the start holds (0: no reference model). A step on
    the longest prompt is tried before the first, so rewards are asked for once more than there are steps.
    Source: Shao et al. 2024, https://arxiv.org/abs/2402.03300.
    """
    ready = prepare_prompts(
        run,
        training,
        data=data,
        model=model,
        max_new_tokens=max_new_tokens,
        seed=run.seed,
        usual_rate=1e-5,
        rows_per_prompt=num_generations,
    )

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from datasets import Dataset
        from trl import GRPOConfig, GRPOTrainer

        return guarded(GRPOTrainer)(
            model=ready.model,
            reward_funcs=[_reward(metric) for metric in rewards],
            processing_class=ready.loaded.tokenizer,
            args=GRPOConfig(
                **ready.arguments,
                reward_weights=reward_weights,
                num_generations=num_generations,
                max_completion_length=max_new_tokens,
                temperature=temperature,
                beta=beta,
            ),
            train_dataset=Dataset.from_list([prompt.row() for prompt in ready.prompts]),
            longest_prompt=ready.longest.row(),
            may_stand_still=True,
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=ready.steps, selection=training.selection)
    if not any(fitted.curve("reward_std")):
        raise FailedError(
            "all answers to a prompt got the same reward, in every step, so there was nothing to learn",
            where=f"{ready.steps} steps of {training.rows_per_step} answers, rewards {fitted.last('reward'):.2f}",
            fix="a reward that gives part marks (f1 for exact_match), easier prompts, or a higher temperature",
        )
    finish(run, fitted, model, say=ready.say, before=ready.before)
    run.metric(reward_before=fitted.first("reward"), reward=fitted.last("reward"))


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
    """Refuses what cannot train, before anything is loaded."""
    training.check(model, data)
    if not rewards:
        raise SlmkitError("there is no reward to learn from", where="rewards", fix="rewards: [exact_match]")
    if reward_weights is not None and len(reward_weights) != len(rewards):
        raise SlmkitError(
            f"{len(rewards)} rewards and {len(reward_weights)} weights", where="reward_weights", fix="one for each"
        )
    answers = training.rows_per_step
    if num_generations < 2 or answers % num_generations:
        raise SlmkitError(
            f"{answers} answers a step cannot be split into groups of {num_generations}",
            where="num_generations, per_device_train_batch_size",
            fix=f"per_device_train_batch_size: {max(2, num_generations) * max(1, answers // max(2, num_generations))}",
        )
    if data.exists():
        read_prompts(prompt_file(data), limit=100)


def _reward(metric: Callable[[Example, Answer], float]) -> Callable[..., list[float]]:
    """A metric as the reward function that TRL calls with a batch of completions and the dataset's columns."""

    def reward(completions: Sequence[Any], id: Sequence[str], target: Sequence[str], **columns: Any) -> list[float]:
        texts = [completion[0]["content"] for completion in completions]
        questions = [prompt[-1]["content"] for prompt in columns["prompts"]]
        examples = [Example(*row) for row in zip(id, questions, target, strict=True)]
        return [
            float(metric(example, Answer(example.id, text))) for example, text in zip(examples, texts, strict=True)
        ]

    reward.__name__ = str(getattr(metric, "label", getattr(metric, "__name__", "reward")))
    return reward
