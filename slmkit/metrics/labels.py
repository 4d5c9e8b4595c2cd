"""F1 of labels, which shows what accuracy hides when some labels are rare. Answers and targets are normalised.

An answer that is an alias counts as its target.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from slmkit.metrics._text import accepted, normalised
from slmkit.types import Answer, Example


def macro_f1(
    examples: Sequence[Example], answers: Sequence[Answer], *, labels: Literal["gold", "seen"] = "gold"
) -> float:
    """The mean F1 over the labels, rare ones weighing as much as frequent ones: f1_score(average="macro").

    targets a a b, answers a b b: F1 of a is 2/3, of b 2/3 -> 0.667. labels: over which labels scikit-learn's f1_score
    takes the mean. "gold": those of the targets, `labels=sorted(set(y_true))`; an answer that is none of them lowers
    the recall of its target and no label's precision. "seen": those of targets and answers, scikit-learn's default,
    where each other wording of an answer is one more label with an F1 of 0.
    """
    found = _f1(examples, answers)
    total = sum(found.values())
    return total / (len(found | dict.fromkeys(_predictions(examples, answers))) if labels == "seen" else len(found))


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
    predictions = _predictions(examples, answers)
    correct = Counter(target for target, label in zip(targets, predictions, strict=True) if target == label)
    num_targets, num_predicted = Counter(targets), Counter(predictions)
    return {label: 2 * correct[label] / (num_targets[label] + num_predicted[label]) for label in num_targets}


def _predictions(examples: Sequence[Example], answers: Sequence[Answer]) -> list[str]:
    """The label of each answer."""
    found = [_label(answer.text) for answer in answers]
    for i, example in enumerate(examples):
        if example.aliases and found[i] in map(_label, accepted(example)):
            found[i] = _label(example.target)
    return found


_label = functools.lru_cache(maxsize=4096)(normalised)
