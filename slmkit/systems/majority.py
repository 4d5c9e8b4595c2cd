"""The floor: the answer that is most often right, whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slmkit.systems._rows import read_rows
from slmkit.types import Answer, Example, Input, System, Task


def majority(task: Task, *, train: Input) -> System:
    """Always gives the commonest answer of `train`, a prepared run: what an arm that knows nothing would score."""
    return _Majority(train)


@dataclass(frozen=True)
class _Majority:
    train: Path

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        answers = [Answer(question.id, self.commonest) for question in questions]
        for answer in answers:
            if on_answer:
                on_answer(answer)
        return answers

    @cached_property
    def commonest(self) -> str:
        [(target, _)] = Counter(row.target for row in read_rows(self.train)).most_common(1)
        return target
