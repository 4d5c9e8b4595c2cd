"""The majority baseline: one answer, the most frequent, to every question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slmkit.systems._rows import read_rows
from slmkit.types import Answer, Example, Input, System, Task


def majority(task: Task, *, train: Input) -> System:
    """Always answers with the most frequent target of `train`, a prepared run.

    If 60 of 100 training rows say "card lost", so does every answer: about 0.6 without reading the question.
    """
    return _Majority(train)


@dataclass(frozen=True)
class _Majority:
    train: Path

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        answers = [Answer(question.id, self.most_frequent) for question in questions]
        for answer in answers:
            if on_answer:
                on_answer(answer)
        return answers

    @cached_property
    def most_frequent(self) -> str:
        [(target, _)] = Counter(row.target for row in read_rows(self.train)).most_common(1)
        return target
