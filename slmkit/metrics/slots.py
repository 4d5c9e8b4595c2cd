"""Slot filling: the F1 that papers report, with the slots of an utterance as JSON fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from slmkit.metrics._text import fields_of, read_json
from slmkit.types import Answer, Example


def slot_f1(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """F1 of the (slot, value) pairs of the whole set together (micro average).

    targets {"a": 1, "b": 2} and {"a": 3}, answers {"a": 1} and {"a": 4}: precision 1/2, recall 1/3 -> 0.4.
    An answer without JSON has no slots. Source: Tjong Kim Sang and Buchholz 2000 (conlleval), https://aclanthology.org/W00-0726.
    """
    correct = num_predicted = num_expected = 0
    for example, answer in zip(examples, answers, strict=True):
        predicted, expected = (Counter(fields_of(read_json(text))) for text in (answer.text, example.target))
        correct += (predicted & expected).total()
        num_predicted += predicted.total()
        num_expected += expected.total()
    total = num_predicted + num_expected
    return 2 * correct / total if total else 1.0
