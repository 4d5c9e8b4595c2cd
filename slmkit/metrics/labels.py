"""Labels as a set: what accuracy hides where some labels are rare. Answers are normalised, targets are the truth."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example


def macro_f1(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The mean of the labels' F1, each label of the gold set counting alike, by scikit-learn.

    targets a a b, answers a b b -> F1 of a 2/3, of b 2/3 -> 0.667. An answer that is no label costs recall only.
    """
    from sklearn.metrics import f1_score

    targets, said = _pairs(examples, answers)
    return float(f1_score(targets, said, labels=sorted(set(targets)), average="macro", zero_division=0))


def label_f1(examples: Sequence[Example], answers: Sequence[Answer], *, label: str) -> float:
    """F1 of one label: the harmonic mean of how often it is right where said, and said where right."""
    from sklearn.metrics import f1_score

    targets, said = _pairs(examples, answers)
    return float(f1_score(targets, said, labels=[normalised(label)], average="macro", zero_division=0))


def _pairs(examples: Sequence[Example], answers: Sequence[Answer]) -> tuple[list[str], list[str]]:
    return [normalised(example.target) for example in examples], [normalised(answer.text) for answer in answers]
