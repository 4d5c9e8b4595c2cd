"""A chat model as a system uses it: loads on first use, renders the chats, answers in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from slmkit.evaluation.with_calls import with_calls
from slmkit.evaluation.without_thinking import without_thinking
from slmkit.models.check_model import check_model
from slmkit.models.load import Device, Dtype
from slmkit.systems._fit_prompts import Build, Fitted, fit_parts
from slmkit.systems._new_tokens import NewTokens, limit_notes, limit_text, limits_of, new_tokens
from slmkit.text.thinking import LONGEST_TAG
from slmkit.types import Answer, Example, Message, ModelRef, PositiveInt, Task

if TYPE_CHECKING:
    from slmkit.models.load import Loaded

OnAnswer = Callable[[Answer], None] | None
ShowLabels = bool | Literal["auto"]
Decoding = Literal["auto", "greedy", "labels"]

_MAX_LABELS_SHARE = 0.25  # of the context; a longer list of labels would crowd out shots and passages


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """How a chat model is prompted, decoded and loaded; in YAML each field is a key of the system."""

    instruction: str | None = None  # None: the task's instruction
    show_labels: ShowLabels = "auto"
    decoding: Decoding = "auto"
    max_new_tokens: NewTokens = "auto"  # room for the longest gold answers
    batch_size: PositiveInt | None = None  # None: as many as fit
    device: Device = "auto"
    dtype: Dtype = "auto"
    load_in_4bit: bool = False
    score_targets: bool = False


@dataclass(frozen=True)
class ChatModel:
    """A chat model, the task it answers, and its options."""

    task: Task
    model: ModelRef
    options: ChatOptions
    remarks: list[str] = field(default_factory=list)
    fitted: Fitted = field(default_factory=Fitted)  # what was left out of its prompts

    def __post_init__(self) -> None:
        check_model(self.model)

    @cached_property
    def opening(self) -> Opening:
        """What the system message says: the instruction and the list of labels."""
        return opening_of(self.task, self.options.instruction, show_labels=self._shows_labels())

    def answer(
        self,
        examples: Sequence[Example],
        chats: Sequence[list[Message]],
        *,
        passages: Sequence[tuple[str, ...]] | None = None,
        preparing_seconds: float = 0.0,
        on_answer: OnAnswer = None,
    ) -> list[Answer]:
        """One answer per example; the time for preparing and rendering the prompts is spread evenly over them."""
        from slmkit.inference.choose_label import choose
        from slmkit.inference.generate import generate
        from slmkit.inference.prefill import Output
        from slmkit.models.chat_template import folding_note, render

        loaded, options = self._loaded(), self.options
        start = time.perf_counter()
        tools, places = [example.tools for example in examples], [f"question {example.id}" for example in examples]
        prompts = render(loaded.tokenizer, chats, tools=tools, where=places)
        if (note := folding_note(loaded.tokenizer, chats)) and note not in self.remarks:
            self.remarks.append(note)
        prompt_end = loaded.tokenizer.decode(prompts[0][-LONGEST_TAG:]) if prompts and not self._picks_labels else ""
        extra = (preparing_seconds + time.perf_counter() - start) / max(1, len(examples))

        targets = self._scored_targets(loaded, prompts, examples) if self.options.score_targets else {}

        def to_answer(index: int, output: Output) -> Answer:
            target_logprob, target_tokens = targets.get(index, (None, 0))
            answer = Answer(
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
            answer = without_thinking(examples[index], answer, prompt_end=prompt_end)
            return with_calls(examples[index], answer)

        def report(index: int, output: Output) -> None:
            if on_answer:
                on_answer(to_answer(index, output))

        if self._picks_labels:
            outputs = choose(loaded, prompts, self.task.labels, batch_size=options.batch_size, on_output=report)
            return [to_answer(index, output) for index, output in enumerate(outputs)]
        found: dict[int, Output] = {}
        sizes = [len(prompt) for prompt in prompts]
        limits = limits_of(sizes, options.max_new_tokens, limit=self._limit, context=loaded.context_length)
        self.fitted.num_limited += sum(limit < self._limit for limit in limits)
        for limit in sorted(set(limits), reverse=True):
            group = [index for index, own in enumerate(limits) if own == limit]
            outputs = generate(
                loaded,
                [prompts[index] for index in group],
                max_new_tokens=limit,
                batch_size=options.batch_size,
                on_output=lambda place, output, group=group: report(group[place], output),  # type: ignore[misc]
            )
            found |= dict(zip(group, outputs, strict=True))
        return [to_answer(index, found[index]) for index in range(len(prompts))]

    def fit(
        self, questions: Sequence[Example], numbers: Sequence[int], build: Build
    ) -> tuple[list[list[Message]], list[int]]:
        """The chats with as many of their parts (passages, solved examples) as fit beside an answer.

        numbers: how many parts each question has. build: the chat of a question with some of its parts.
        """
        chats, kept = fit_parts(numbers, build, partial(self._sizes, questions), room=self.room)
        self.fitted.add(numbers, kept)
        return chats, kept

    def fits(self, question: Example, chat: list[Message]) -> bool:
        """Whether a chat leaves room for an answer."""
        return self._sizes([question], [0], [chat])[0] <= self.room

    @property
    def vocabulary(self) -> int:
        """The number of tokens that the model knows."""
        return len(self._loaded().tokenizer)

    @cached_property
    def room(self) -> int:
        """The most tokens of a prompt that leave room for an answer; long answers get half of the context at least."""
        from slmkit.inference.choose_label import option_ids

        loaded = self._loaded()
        if self._picks_labels and self.task.labels:
            return loaded.context_length - max(map(len, option_ids(loaded, self.task.labels)))
        is_auto = self.options.max_new_tokens == "auto"
        return loaded.context_length - (min(self._limit, loaded.context_length // 2) if is_auto else self._limit)

    def notes(self, parts: str = "") -> list[str]:
        """The choices made for the prompts so far. parts: what `fit` may leave out, such as "solved examples"."""
        limit = [] if self._picks_labels else limit_notes(self._limit, self.options.max_new_tokens)
        return [*self.remarks, *limit, *self.fitted.notes(parts, context=self._loaded().context_length)]

    def _sizes(
        self, questions: Sequence[Example], indices: Sequence[int], chats: Sequence[list[Message]]
    ) -> list[int]:
        """The tokens of some questions' chats."""
        from slmkit.models.chat_template import render

        asked = [questions[index] for index in indices]
        tools, places = [example.tools for example in asked], [f"question {example.id}" for example in asked]
        return [len(prompt) for prompt in render(self._loaded().tokenizer, chats, tools=tools, where=places)]

    @cached_property
    def _limit(self) -> int:
        """The most new tokens of an answer."""

        def count(texts: Sequence[str]) -> list[int]:
            """With the tags that the chat template puts around a tool call."""
            from slmkit.inference.choose_label import option_ids

            return [len(ids) for ids in option_ids(self._loaded(), texts, has_tools=True)]

        return new_tokens(self.options.max_new_tokens, self.task, count)

    @cached_property
    def about(self) -> dict[str, str]:
        """Provenance of the answers: hashes of the model and template, and the decoding."""
        from slmkit.models.model_hashes import identity

        limit = limit_text(self._limit, self.options.max_new_tokens)
        decoding = "labels" if self._picks_labels else f"greedy, {limit}"
        left_out = {"labels_left_out": f"{self._tokens_left_out:,} tokens"} if self._tokens_left_out else {}
        return identity(self._loaded()) | {"decoding": decoding} | left_out

    def _scored_targets(
        self, loaded: Loaded, prompts: Sequence[Sequence[int]], examples: Sequence[Example]
    ) -> dict[int, tuple[float, int]]:
        """Log-probability and token count of each target, end of turn included, if it fits into the context."""
        from slmkit.inference.choose_label import one_by_one, option_ids

        has_tools = any(example.tools for example in examples)
        endings = option_ids(loaded, [example.target for example in examples], has_tools=has_tools)
        return {
            index: (float(one_by_one(loaded, [prompt], [ending])[0, 0]), len(ending))
            for index, (prompt, ending) in enumerate(zip(prompts, endings, strict=True))
            if len(prompt) + len(ending) <= loaded.context_length
        }

    @property
    def _picks_labels(self) -> bool:
        decoding = self.options.decoding
        return decoding == "labels" or (decoding == "auto" and self.task.kind == "classification")

    def _loaded(self) -> Loaded:
        from slmkit.models.load import shared_model

        options = self.options
        return shared_model(self.model, device=options.device, dtype=options.dtype, load_in_4bit=options.load_in_4bit)

    def _shows_labels(self) -> bool:
        """Whether the prompt lists the labels; "auto": unless a run trained the model or the list is too long."""
        if self.options.show_labels != "auto":
            return self.options.show_labels
        if is_trained(self.model):
            return False
        if not self._tokens_left_out:
            return True
        self.remarks.append(
            f"the prompt does not list the {len(self.task.labels)} labels: they need {self._tokens_left_out:,} of the "
            f"context's {self._loaded().context_length:,} tokens (show_labels=true lists them anyway)"
        )
        return False

    @cached_property
    def _tokens_left_out(self) -> int:
        """Tokens of the list of labels if it is too long for the prompt, otherwise 0."""
        if not self.task.labels or self.options.show_labels != "auto" or is_trained(self.model):
            return 0
        loaded = self._loaded()
        tokens = len(loaded.tokenizer(_label_list(self.task), add_special_tokens=False)["input_ids"])
        return tokens if tokens > _MAX_LABELS_SHARE * loaded.context_length else 0


@dataclass(frozen=True)
class Opening:
    """The system message of a prompt: the instruction, then the list of labels."""

    instruction: str
    labels: str = ""

    def chat(self, conversation: Sequence[Message], *, shots: Sequence[Message] = ()) -> list[Message]:
        """The conversation with its system message, and the shots after it.

        A system turn of the conversation takes the place of the instruction, as it does in training.
        """
        has_own = bool(conversation) and conversation[0]["role"] == "system"
        instruction = conversation[0]["content"] if has_own else self.instruction
        content = " ".join(part for part in (instruction, self.labels) if part)
        first = [{"role": "system", "content": content}] if content else []
        return [*first, *shots, *conversation[has_own:]]


def opening_of(task: Task, instruction: str | None, *, show_labels: bool) -> Opening:
    """The opening of a task; instruction None takes the task's own."""
    text = task.instruction if instruction is None else instruction
    return Opening(text, _label_list(task) if show_labels and task.labels else "")


def is_trained(model: ModelRef) -> bool:
    """Whether a run trained the model; such a model was trained on prompts without a list of labels."""
    return (Path(model.path) / "model").is_dir()


def _label_list(task: Task) -> str:
    return f"Answer with exactly one of: {', '.join(task.labels)}."
