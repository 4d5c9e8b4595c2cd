"""What changed between two gold sets: which examples came, went, or got another answer, and whether scores compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmkit.gold.gold_set import Gold
from slmkit.text.identity import normalise
from slmkit.types import Example


@dataclass(frozen=True)
class GoldDiff:
    """The examples that two sets do not share; `answered` holds (old, new) of one text with two answers."""

    added: list[Example]
    removed: list[Example]
    answered: list[tuple[Example, Example]]
    same: int

    def __str__(self) -> str:
        if not (self.added or self.removed or self.answered):
            return f"the same {self.same:,} examples: scores compare"
        return (
            f"{self.same:,} the same, {len(self.added):,} added, {len(self.removed):,} removed, "
            f"{len(self.answered):,} with another answer: scores compare only on the same ones"
        )


def gold_diff(old: Gold, new: Gold) -> GoldDiff:
    """The difference from one gold set to another, by the text asked; case, punctuation and spaces aside."""
    before, after = _by_text(old.examples), _by_text(new.examples)
    shared = [(before[text], after[text]) for text in before if text in after]
    answered = [(a, b) for a, b in shared if {a.target, *a.aliases} != {b.target, *b.aliases}]
    return GoldDiff(
        added=[example for text, example in after.items() if text not in before],
        removed=[example for text, example in before.items() if text not in after],
        answered=answered,
        same=len(shared) - len(answered),
    )


def _by_text(examples: Sequence[Example]) -> dict[str, Example]:
    return {normalise(example.input): example for example in examples}
