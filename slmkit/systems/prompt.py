"""A chat model that is simply asked: zero-shot, or after solved examples. A tuned model is asked the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmkit.errors import SlmkitError
from slmkit.models.load import Device, Dtype
from slmkit.systems._chat import ChatModel, Decoding, ShowLabels
from slmkit.systems._shots import Choice, Shots
from slmkit.types import Answer, Count, Example, Input, Model, System, Task, Whole


def prompt(
    task: Task,
    *,
    model: Model,
    num_shots: Whole = 0,
    shots: Choice = "nearest",
    examples: Input | None = None,
    instruction: str | None = None,
    show_labels: ShowLabels = "auto",
    decoding: Decoding = "auto",
    max_new_tokens: Count = 64,
    batch_size: Count | None = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    load_in_4bit: bool = False,
    score_targets: bool = False,
    seed: int = 0,
) -> System:
    """Asks a chat model, after num_shots solved examples from `examples`, a prepared run.

    instruction: None takes the task's own. show_labels "auto": not to a model that a run has trained, whose prompts
    had no list, nor where the list takes over a quarter of the context. decoding "auto": for label tasks "labels", the
    label that the model finds likeliest; else "greedy", free text. score_targets: also tells how likely it finds
    each right answer, which perplexity and bits_per_byte need; it reads every prompt once more.
    """
    if num_shots and examples is None:
        raise SlmkitError(
            f"num_shots is {num_shots}, but there are no examples to show",
            fix="add `examples: loop/prepare`, or the folder of a prepared run",
        )
    return _Prompt(
        ChatModel(
            task,
            model,
            instruction=instruction,
            show_labels=show_labels,
            decoding=decoding,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            device=device,
            dtype=dtype,
            load_in_4bit=load_in_4bit,
            score_targets=score_targets,
        ),
        Shots(examples, num_shots, shots, seed) if num_shots and examples is not None else None,
    )


@dataclass(frozen=True)
class _Prompt:
    chat_model: ChatModel
    shots: Shots | None

    @property
    def about(self) -> dict[str, str]:
        return self.chat_model.about

    @property
    def notes(self) -> list[str]:
        return self.chat_model.notes

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        start = time.perf_counter()
        solved = self.shots(questions) if self.shots else [[] for _ in questions]
        turns = [
            [*_turns(shots), {"role": "user", "content": question.input}]
            for question, shots in zip(questions, solved, strict=True)
        ]
        seconds = time.perf_counter() - start
        return self.chat_model.answer(questions, turns, preparing_seconds=seconds, on_answer=on_answer)


def _turns(shots: Sequence[Example]) -> list[dict[str, str]]:
    return [
        {"role": role, "content": content}
        for shot in shots
        for role, content in (("user", shot.input), ("assistant", shot.target))
    ]
