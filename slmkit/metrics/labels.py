"""F1 of labels, which shows what accuracy hides when some labels are rare. Answers and targets are normalised."""

from __future__ import annotations

import functools
import statistics
from collections import Counter
from collections.abc import Sequence

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example


def macro_f1(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The mean F1 over the labels of the gold set, rare ones weighing as much as frequent ones.

    targets a a b, answers a b b: F1 of a is 2/3, of b 2/3 -> 0.667. Equals scikit-learn's f1_score(average="macro").
    An answer that is not a label lowers the recall of its target and no label's precision.
    """
    return statistics.fmean(_f1(examples, answers).values())


def label_f1(examples: Sequence[Example], answers: Sequence[Answer], *, label: str) -> float:
    """F1 of one label: the harmonic mean of its precision and recall.

    label a, targets a a b, answers a b b: precision 1, recall 1/2 -> 0.667. A label outside the gold set -> 0.0.
    """
    return _f1(examples, answers).get(normalised(label), 0.0)


def _f1(examples: Sequence[Example], answers: Sequence[Answer]) -> dict[str, float]:
    """F1 of each label of the gold set: 2 * correct / (targets with the label + answers with the label).

    Not by scikit-learn, which takes about 20 times as long: a bootstrap interval computes this 200 times.
    """
    targets = [_label(example.target) for example in examples]
    predictions = [_label(answer.text) for answer in answers]
    correct = Counter(target for target, label in zip(targets, predictions, strict=True) if target == label)
    num_targets, num_predicted = Counter(targets), Counter(predictions)
    return {label: 2 * correct[label] / (num_targets[label] + num_predicted[label]) for label in num_targets}


_label = functools.lru_cache(maxsize=4096)(normalised)
