"""Compares two gold sets: examples added, removed or with a different answer, and whether scores are comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmkit.gold.gold_set import Gold
from slmkit.text.identity import question_of
from slmkit.types import Example


@dataclass(frozen=True)
class GoldDiff:
    """The differences between two sets; `answered` contains (old, new) for each question whose answer differs."""

    added: list[Example]
    removed: list[Example]
    answered: list[tuple[Example, Example]]
    same: int

    def __str__(self) -> str:
        if not (self.added or self.removed or self.answered):
            return f"the same {self.same:,} examples: scores are comparable"
        return (
            f"{self.same:,} the same, {len(self.added):,} added, {len(self.removed):,} removed, "
            f"{len(self.answered):,} with a different answer: scores are comparable only on the same examples"
        )


def gold_diff(old: Gold, new: Gold) -> GoldDiff:
    """The differences, matching examples by the question they ask."""
    before, after = _by_question(old.examples), _by_question(new.examples)
    shared = [(before[key], after[key]) for key in before if key in after]
    answered = [(a, b) for a, b in shared if {a.target, *a.aliases} != {b.target, *b.aliases}]
    return GoldDiff(
        added=[example for key, example in after.items() if key not in before],
        removed=[example for key, example in before.items() if key not in after],
        answered=answered,
        same=len(shared) - len(answered),
    )


def _by_question(examples: Sequence[Example]) -> dict[str, Example]:
    return {question_of(example).key: example for example in examples}
