"""The solved examples of a few-shot prompt: fixed, random for each question, or nearest to it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.systems._chat import Opening
from slmkit.systems._rows import conversation_texts, read_rows
from slmkit.text.identity import alike_keys, leak_key
from slmkit.text.tool_calls import answer_message
from slmkit.types import Example, Hit, Input, Message, NonNegativeInt, Passage, Retriever

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
            texts = conversation_texts(questions, self._rows)
            found = self._index.search(texts, top_k=self.num_shots + 1)
            return [self._nearest(q, text, hits)[::-1] for q, text, hits in zip(questions, texts, found, strict=True)]
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
        texts = conversation_texts(self._rows, self._rows)
        return bm25([Passage(str(i), text) for i, text in enumerate(texts)])

    @cached_property
    def _spread(self) -> list[Example]:
        """All rows in random order, but every target appears once before any appears twice."""
        seen: dict[str, int] = {}
        turns = []
        for row in random.Random(self.seed).sample(self._rows, len(self._rows)):
            seen[row.target] = seen.get(row.target, 0) + 1
            turns.append((seen[row.target], row))
        return [row for _, row in sorted(turns, key=lambda turn: turn[0])]

    def _nearest(self, question: Example, text: str, hits: Sequence[Hit]) -> list[Example]:
        """The nearest unlike rows, then the first of the file if no other row shares a word with the question."""
        rows = self._without(question, [self._rows[int(hit.passage.id)] for hit in hits])
        if len(rows) < self.num_shots < len(hits):  # several of the nearest are alike
            [hits] = self._index.search([text], top_k=len(self._rows))
        near = list(dict.fromkeys(int(hit.passage.id) for hit in hits))
        others = (i for i in range(len(self._rows)) if i not in near)
        return self._without(question, (self._rows[i] for i in itertools.chain(near, others)))

    def _drawn(self, question: Example) -> Iterator[Example]:
        """The rows in random order."""
        rng = random.Random(f"{self.seed}/{question.id}")
        first = rng.sample(range(len(self._rows)), self.num_shots + 1)  # nearly always enough
        yield from (self._rows[i] for i in first)
        others = sorted({*range(len(self._rows))}.difference(first))
        yield from (self._rows[i] for i in rng.sample(others, len(others)))

    def _without(self, question: Example, rows: Iterable[Example]) -> list[Example]:
        """The first num_shots rows that do not ask the question."""
        asked = leak_key(question)
        others = (row for row in rows if asked not in alike_keys(row.conversation))
        return list(itertools.islice(others, self.num_shots))


def solved_for(questions: Sequence[Example], shots: Shots | None) -> list[list[Example]]:
    """The solved examples of each question; none without shots."""
    return shots(questions) if shots else [[] for _ in questions]


def chats_of(questions: Sequence[Example], shots: Shots | None, opening: Opening) -> list[list[Message]]:
    """The chat of each question: the system message (unless empty), the shots, the conversation to answer."""
    solved = solved_for(questions, shots)
    return [chat_of(question, rows, opening) for question, rows in zip(questions, solved, strict=True)]


def chat_of(
    question: Example, rows: Sequence[Example], opening: Opening, *, number: int | None = None
) -> list[Message]:
    """The chat of one question after its solved examples; number: how many of them, counted from the nearest."""
    shown = rows if number is None else rows[len(rows) - number :]
    return opening.chat(question.conversation, shots=[turn for row in shown for turn in _turns(row)])


def _turns(shot: Example) -> list[Message]:
    """A solved example as turns, without its system message."""
    asked = [message for message in shot.conversation if message["role"] != "system"]
    return [*asked, answer_message(shot.target, has_tools=bool(shot.tools))]
