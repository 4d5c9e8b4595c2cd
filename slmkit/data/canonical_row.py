"""A row in the form that every stage reads, and the record of a row that could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from slmkit.text.identity import text_hash

Message = dict[str, Any]


@dataclass(frozen=True)
class CanonicalRow:
    """A row in the form that training reads, with the fields that evaluation and deduplication need."""

    values: dict[str, Any]  # one line of train.jsonl, without its id
    input: str  # the first user turn, the prompt, or the plain text
    target: str  # the answer; "" for plain text
    file: Path
    line: int
    aliases: tuple[str, ...] = ()  # other correct answers
    passage: str = ""  # the passage that contains the answer
    slice: Mapping[str, str] = field(default_factory=dict)
    group: str = ""  # rows of the same group stay on the same side of the split

    @cached_property
    def id(self) -> str:
        return text_hash(self.input, self.target)

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


class RowFault(ValueError):
    """The reason why a row is unusable, worded so that equal reasons can be counted: "empty label"."""


def user_and_assistant(input: str, target: str, *, system: str = "") -> list[Message]:
    """The messages of one question and its answer."""
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": input}, {"role": "assistant", "content": target}]
