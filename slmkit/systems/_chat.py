"""What every system on a chat model shares: it loads the model late, renders the chats, and answers in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slmkit.models.load import Device, Dtype, check_model
from slmkit.types import Answer, Example, ModelRef, Task

Message = dict[str, str]
OnAnswer = Callable[[Answer], None] | None


@dataclass(frozen=True)
class ChatModel:
    """A chat model and how it is to answer."""

    model: ModelRef
    max_new_tokens: int
    batch_size: int | None
    device: Device
    dtype: Dtype
    load_in_4bit: bool

    def __post_init__(self) -> None:
        check_model(self.model)

    def answer(
        self,
        examples: Sequence[Example],
        chats: Sequence[list[Message]],
        *,
        passages: Sequence[tuple[str, ...]] | None = None,
        preparing_seconds: float = 0.0,
        on_answer: OnAnswer = None,
    ) -> list[Answer]:
        """One answer a chat; preparing_seconds (finding passages) and rendering are shared out evenly."""
        from slmkit.models.chat import render
        from slmkit.models.generate import Output, generate
        from slmkit.models.load import shared_model

        loaded = shared_model(self.model, device=self.device, dtype=self.dtype, load_in_4bit=self.load_in_4bit)
        start = time.perf_counter()
        prompts = render(loaded.tokenizer, chats)
        extra = (preparing_seconds + time.perf_counter() - start) / max(1, len(examples))

        def to_answer(index: int, output: Output) -> Answer:
            return Answer(
                examples[index].id,
                output.text,
                prompt_tokens=output.prompt_tokens,
                completion_tokens=output.completion_tokens,
                seconds=output.seconds + extra,
                stopped=output.stopped,
                error=output.error,
                passages=passages[index] if passages else (),
            )

        outputs = generate(
            loaded,
            prompts,
            max_new_tokens=self.max_new_tokens,
            batch_size=self.batch_size,
            on_output=lambda index, output: on_answer(to_answer(index, output)) if on_answer else None,
        )
        return [to_answer(index, output) for index, output in enumerate(outputs)]


ShowLabels = bool | Literal["auto"]


def opening(task: Task, model: ModelRef, *, instruction: str | None, show_labels: ShowLabels) -> list[Message]:
    """The system turn: the instruction, and the labels where they are to be shown; none where both are empty.

    show_labels "auto": not for a model that a run has trained, whose prompts had no list.
    """
    shown = not (Path(model.path) / "model").is_dir() if show_labels == "auto" else show_labels
    listed = f"Answer with exactly one of: {', '.join(task.labels)}." if shown and task.labels else ""
    asked = task.instruction if instruction is None else instruction
    content = " ".join(part for part in (asked, listed) if part)
    return [{"role": "system", "content": content}] if content else []
