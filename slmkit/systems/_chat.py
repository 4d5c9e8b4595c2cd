"""What every system on a chat model shares: it loads the model late, renders the chats, and answers in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from slmkit.models.load import Device, Dtype, check_model
from slmkit.types import Answer, Example, ModelRef, Task

if TYPE_CHECKING:
    from slmkit.models.load import Loaded

Message = dict[str, str]
OnAnswer = Callable[[Answer], None] | None
ShowLabels = bool | Literal["auto"]
Decoding = Literal["auto", "greedy", "labels"]

_LABELS_SHARE = 0.25  # of the context, for the list of labels in a prompt


@dataclass(frozen=True)
class ChatModel:
    """A chat model, the task it is asked to do, and how it is to answer."""

    task: Task
    model: ModelRef
    instruction: str | None
    show_labels: ShowLabels
    decoding: Decoding
    max_new_tokens: int
    batch_size: int | None
    device: Device
    dtype: Dtype
    load_in_4bit: bool
    score_targets: bool = False
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_model(self.model)

    @cached_property
    def opening(self) -> list[Message]:
        """The system turn: the instruction, and the labels where they are listed; none where both are empty."""
        content = opening_text(self.task, self.instruction, show_labels=self._shows_labels())
        return [{"role": "system", "content": content}] if content else []

    def answer(
        self,
        examples: Sequence[Example],
        turns: Sequence[list[Message]],
        *,
        passages: Sequence[tuple[str, ...]] | None = None,
        preparing_seconds: float = 0.0,
        on_answer: OnAnswer = None,
    ) -> list[Answer]:
        """One answer an example, to the opening and its turns; preparing_seconds and rendering are shared out."""
        from slmkit.inference.choose_label import choose
        from slmkit.inference.generate import generate
        from slmkit.inference.prefill import Output
        from slmkit.models.chat_template import render

        loaded, opening = self._loaded(), self.opening
        start = time.perf_counter()
        prompts = render(loaded.tokenizer, [[*opening, *its_turns] for its_turns in turns])
        extra = (preparing_seconds + time.perf_counter() - start) / max(1, len(examples))

        targets = self._scored_targets(loaded, prompts, examples) if self.score_targets else {}

        def to_answer(index: int, output: Output) -> Answer:
            target_logprob, target_tokens = targets.get(index, (None, 0))
            return Answer(
                examples[index].id,
                output.text,
                prompt_tokens=output.prompt_tokens,
                completion_tokens=output.completion_tokens,
                seconds=output.seconds + extra,
                stopped=output.stopped,
                error=output.error,
                passages=passages[index] if passages else (),
                confidence=output.confidence,
                target_logprob=target_logprob,
                target_tokens=target_tokens,
            )

        def tell(index: int, output: Output) -> None:
            if on_answer:
                on_answer(to_answer(index, output))

        if self._picks_labels:
            outputs = choose(loaded, prompts, self.task.labels, batch_size=self.batch_size, on_output=tell)
        else:
            outputs = generate(
                loaded, prompts, max_new_tokens=self.max_new_tokens, batch_size=self.batch_size, on_output=tell
            )
        return [to_answer(index, output) for index, output in enumerate(outputs)]

    @cached_property
    def about(self) -> dict[str, str]:
        """What made the answers: the model by its hashes, and how it was asked."""
        from slmkit.models.model_hashes import identity

        decoding = "labels" if self._picks_labels else f"greedy, up to {self.max_new_tokens} tokens"
        left_out = {"labels_left_out": f"{self._tokens_left_out:,} tokens"} if self._tokens_left_out else {}
        return identity(self._loaded()) | {"decoding": decoding} | left_out

    def _scored_targets(
        self, loaded: Loaded, prompts: Sequence[Sequence[int]], examples: Sequence[Example]
    ) -> dict[int, tuple[float, int]]:
        """Log-probability and tokens of each target written as the answer, end of turn included, where both fit."""
        from slmkit.inference.choose_label import one_by_one, option_ids

        endings = option_ids(loaded, [example.target for example in examples])
        return {
            index: (float(one_by_one(loaded, [prompt], [ending])[0, 0]), len(ending))
            for index, (prompt, ending) in enumerate(zip(prompts, endings, strict=True))
            if len(prompt) + len(ending) <= loaded.context_length
        }

    @property
    def _picks_labels(self) -> bool:
        return self.decoding == "labels" or (self.decoding == "auto" and self.task.kind == "classification")

    def _loaded(self) -> Loaded:
        from slmkit.models.load import shared_model

        return shared_model(self.model, device=self.device, dtype=self.dtype, load_in_4bit=self.load_in_4bit)

    def _shows_labels(self) -> bool:
        """Whether the labels are listed; "auto": not to a model that a run trained, nor where they crowd out."""
        if self.show_labels != "auto":
            return self.show_labels
        if is_trained(self.model):
            return False
        if not self._tokens_left_out:
            return True
        self.notes.append(
            f"the {len(self.task.labels)} labels are not listed in the prompt: they take {self._tokens_left_out:,} "
            f"tokens of the model's {self._loaded().context_length:,} (show_labels=true lists them anyway)"
        )
        return False

    @cached_property
    def _tokens_left_out(self) -> int:
        """The tokens of a list of labels that crowds out the rest of the prompt; 0 where nothing is left out."""
        if not self.task.labels or self.show_labels != "auto" or is_trained(self.model):
            return 0
        loaded = self._loaded()
        tokens = len(loaded.tokenizer(_label_list(self.task), add_special_tokens=False)["input_ids"])
        return tokens if tokens > _LABELS_SHARE * loaded.context_length else 0


def opening_text(task: Task, instruction: str | None, *, show_labels: bool) -> str:
    """What the system turn says: the instruction (None: the task's own), and the labels where they are listed."""
    asked = task.instruction if instruction is None else instruction
    listed = _label_list(task) if show_labels and task.labels else ""
    return " ".join(part for part in (asked, listed) if part)


def is_trained(model: ModelRef) -> bool:
    """Whether a run trained the model: its training prompts listed no labels."""
    return (Path(model.path) / "model").is_dir()


def _label_list(task: Task) -> str:
    return f"Answer with exactly one of: {', '.join(task.labels)}."
