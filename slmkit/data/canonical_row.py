"""A row in the form that every stage reads, and the record of a row that could not be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from slmkit.text.identity import Question, question_of, text_hash
from slmkit.text.tool_calls import answer_text
from slmkit.types import Message


@dataclass(frozen=True)
class CanonicalRow:
    """A row in the form that training reads, with the fields that evaluation and deduplication need."""

    values: dict[str, Any]  # one line of train.jsonl, without its id
    input: str  # the last user turn before the answer, or the plain text
    target: str  # the last answer; "" for plain text
    file: Path
    line: int
    aliases: tuple[str, ...] = ()  # other correct answers
    passage: str = ""  # the passage that contains the answer
    slice: Mapping[str, str] = field(default_factory=dict)
    group: str = ""  # rows of the same group stay on the same side of the split
    is_validation: bool = False  # belongs to the validation split that the data has

    @property
    def conversation(self) -> Sequence[Message]:
        """The messages up to the answer: system turn, history, and the last user turn."""
        if (messages := self.values.get("messages")) is not None:
            return conversation_of(messages)
        prompt = self.values.get("prompt")
        return prompt if isinstance(prompt, list) else [{"role": "user", "content": self.input}]

    @property
    def tools(self) -> Sequence[Any]:
        """The tools that the conversation offers."""
        return self.values.get("tools") or ()

    @cached_property
    def question(self) -> Question:
        """What is asked, for comparison with other rows and with gold sets."""
        return question_of(self)

    @property  # not cached: with one more attribute, each row takes 350 bytes more
    def id(self) -> str:
        return text_hash(self.question.key, self.target, *self.judged)

    @property
    def judged(self) -> tuple[str, ...]:
        """What a preference row says of its answer: the rejected answer, or whether the answer is right (KTO)."""
        rejected, verdict = self.values.get("rejected"), self.values.get("label")
        return (joined_text(rejected),) if rejected else () if verdict is None else (str(verdict),)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class DroppedRow:
    """A row that was dropped: why, its file and line, and the start of its input."""

    reason: str
    file: str
    line: int
    input: str
    repeats: str = ""  # the start of the text that it repeats or leaks


class RowFault(ValueError):
    """The reason why a row is unusable, worded so that equal reasons can be counted: "empty label"."""


def conversation_of(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages before the last answer that is not marked with weight 0, without such marks."""
    last = None
    for i in range(len(messages) - 1, -1, -1):
        if messages[i]["role"] == "assistant":
            last = i if last is None else last
            if messages[i].get("weight") != 0:
                last = i
                break
    asked = messages[:last]
    if not any("weight" in message for message in asked):
        return asked
    return [{key: value for key, value in message.items() if key != "weight"} for message in asked]


def texts_of(values: Mapping[str, Any]) -> tuple[str, str]:
    """The input and the target of a row with these values."""
    if (messages := values.get("messages")) is not None:
        asked = conversation_of(messages)
        input = next((message["content"] for message in reversed(asked) if message["role"] == "user"), "")
        return input, answer_text(messages[len(asked)])
    if "prompt" not in values:
        return values["text"], ""
    return joined_text(values["prompt"]), joined_text(values["chosen"] if "chosen" in values else values["completion"])


def joined_text(messages: Sequence[Message]) -> str:
    """The text of one message, or of several with their roles."""
    if len(messages) == 1:
        return answer_text(messages[0])
    return "\n\n".join(f"{message['role']}: {answer_text(message)}" for message in messages)


def user_and_assistant(input: str, target: str, *, system: str = "") -> list[Message]:
    """The messages of one question and its answer."""
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": input}, {"role": "assistant", "content": target}]
