"""The solved examples of a few-shot prompt: fixed, random for each question, or nearest to it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.systems._chat import Opening
from slmkit.systems._rows import read_rows
from slmkit.text.identity import alike_key, alike_keys, question_of
from slmkit.text.tool_calls import answer_message
from slmkit.types import Example, Input, Message, NonNegativeInt, Passage, Retriever

Choice = Literal["fixed", "random", "nearest"]


@dataclass(frozen=True, kw_only=True)
class FewShot:
    """Which solved examples a prompt shows; in YAML each field is a key of the system."""

    num_shots: NonNegativeInt = 0
    shots: Choice = "nearest"
    examples: Input | None = None  # a prepared run
    seed: int = 0

    def load(self) -> Shots | None:
        """The examples to choose from; None if num_shots is 0. Raises: SlmkitError without `examples`."""
        if not self.num_shots:
            return None
        if self.examples is None:
            raise SlmkitError(
                f"num_shots is {self.num_shots}, but `examples` is missing",
                fix="add examples=loop/prepare, or the folder of a prepared run",
            )
        return Shots(self.examples, self.num_shots, self.shots, self.seed)


@dataclass(frozen=True)
class Shots:
    """Chooses num_shots rows of a prepared run for each question; reads and indexes the rows once."""

    examples: Path
    num_shots: int
    choice: Choice
    seed: int

    def __call__(self, questions: Sequence[Example]) -> list[list[Example]]:
        """The shots of each question, without an alike question; the nearest comes last, next to the question."""
        if self.choice == "nearest":
            found = self._index.search([question.input for question in questions], top_k=self.num_shots + 1)
            near = [[self._rows[int(hit.passage.id)] for hit in hits] for hits in found]
            filled = [rows + [row for row in self._rows[: self.num_shots + 1] if row not in rows] for rows in near]
            return [self._without(q, rows)[::-1] for q, rows in zip(questions, filled, strict=True)]
        if self.choice == "fixed":
            return [self._without(question, self._spread) for question in questions]
        return [self._without(question, self._drawn(question)) for question in questions]

    @cached_property
    def _rows(self) -> list[Example]:
        rows = read_rows(self.examples)
        if len(rows) <= self.num_shots:
            raise SlmkitError(
                f"num_shots is {self.num_shots}, but only {len(rows)} examples are available",
                where=str(self.examples),
                fix=f"set num_shots below {len(rows)}: one example may be the question itself",
            )
        return rows

    @cached_property
    def _index(self) -> Retriever:
        return bm25([Passage(str(i), row.input) for i, row in enumerate(self._rows)])

    @cached_property
    def _spread(self) -> list[Example]:
        """All rows in random order, but every target appears once before any appears twice."""
        seen: dict[str, int] = {}
        turns = []
        for row in random.Random(self.seed).sample(self._rows, len(self._rows)):
            seen[row.target] = seen.get(row.target, 0) + 1
            turns.append((seen[row.target], row))
        return [row for _, row in sorted(turns, key=lambda turn: turn[0])]

    def _drawn(self, question: Example) -> list[Example]:
        return random.Random(f"{self.seed}/{question.id}").sample(self._rows, self.num_shots + 1)

    def _without(self, question: Example, rows: Sequence[Example]) -> list[Example]:
        asked = alike_key(question_of(question))
        others = (row for row in rows if asked not in alike_keys(row.conversation, row.tools))
        return [row for row, _ in zip(others, range(self.num_shots), strict=False)]


def chats_of(questions: Sequence[Example], shots: Shots | None, opening: Opening) -> list[list[Message]]:
    """The chat of each question: the system message (unless empty), the shots, the conversation to answer."""
    solved = shots(questions) if shots else [[] for _ in questions]
    return [chat_of(question, rows, opening) for question, rows in zip(questions, solved, strict=True)]


def chat_of(question: Example, rows: Sequence[Example], opening: Opening) -> list[Message]:
    """The chat of one question after some solved examples."""
    return opening.chat(question.conversation, shots=[turn for row in rows for turn in _turns(row)])


def _turns(shot: Example) -> list[Message]:
    """A solved example as turns, without its system message."""
    asked = [message for message in shot.conversation if message["role"] != "system"]
    return [*asked, answer_message(shot.target, has_tools=bool(shot.tools))]
