"""A chat model that is simply asked: zero-shot, or after solved examples. A tuned model is asked the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmkit.models.load import Device, Dtype
from slmkit.systems._chat import ChatModel, Decoding, ShowLabels
from slmkit.systems._shots import Choice, Shots, chats_of, shots_of
from slmkit.types import Answer, Example, Input, Model, NonNegativeInt, PositiveInt, System, Task


def prompt(
    task: Task,
    *,
    model: Model,
    num_shots: NonNegativeInt = 0,
    shots: Choice = "nearest",
    examples: Input | None = None,
    instruction: str | None = None,
    show_labels: ShowLabels = "auto",
    decoding: Decoding = "auto",
    max_new_tokens: PositiveInt = 64,
    batch_size: PositiveInt | None = None,
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
        shots_of(examples, num_shots, shots, seed),
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
        turns = chats_of(questions, self.shots)
        seconds = time.perf_counter() - start
        return self.chat_model.answer(questions, turns, preparing_seconds=seconds, on_answer=on_answer)
