"""Labels as a set: what accuracy hides where some labels are rare. Answers are normalised, targets are the truth."""

from __future__ import annotations

import functools
import statistics
from collections import Counter
from collections.abc import Sequence

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example


def macro_f1(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The mean of the labels' F1, each label of the gold set counting alike; as scikit-learn's, average="macro".

    targets a a b, answers a b b -> F1 of a 2/3, of b 2/3 -> 0.667. An answer that is no label costs recall only.
    """
    return statistics.fmean(_f1(examples, answers).values())


def label_f1(examples: Sequence[Example], answers: Sequence[Answer], *, label: str) -> float:
    """F1 of one label: the harmonic mean of how often it is right where said, and said where right."""
    return _f1(examples, answers).get(normalised(label), 0.0)


def _f1(examples: Sequence[Example], answers: Sequence[Answer]) -> dict[str, float]:
    """F1 of each label of the gold set: twice the right ones by all that are it and all that are called so.

    Counted here: an interval asks for it 200 times, and scikit-learn takes some twenty times as long.
    """
    targets = [_label(example.target) for example in examples]
    said = [_label(answer.text) for answer in answers]
    right = Counter(target for target, label in zip(targets, said, strict=True) if target == label)
    are, called = Counter(targets), Counter(said)
    return {label: 2 * right[label] / (are[label] + called[label]) for label in are}


_label = functools.lru_cache(maxsize=4096)(normalised)
