"""Slot filling: the F1 that papers report, with the slots of an utterance as JSON fields."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from slmkit.metrics._json_value import num_fields, shared_fields
from slmkit.metrics._read_json import read_json
from slmkit.metrics._text import accepted
from slmkit.types import Answer, Example


def slot_f1(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """F1 of the (slot, value) pairs of the whole set together (micro average).

    targets {"a": 1, "b": 2} and {"a": 3}, answers {"a": 1} and {"a": 4}: precision 1/2, recall 1/3 -> 0.4.
    Values as in json_fields with `ordered: false`. An answer without JSON has no slots. Of the target and its aliases,
    the one with the best F1 counts.
    Source: Tjong Kim Sang and Buchholz 2000 (conlleval), https://aclanthology.org/W00-0726.
    """
    counts = [_counts(accepted(example), answer.text) for example, answer in zip(examples, answers, strict=True)]
    correct, num_slots = (sum(column) for column in zip(*counts, strict=True))
    return 2 * correct / num_slots if num_slots else 1.0


@functools.lru_cache(maxsize=1 << 16)  # a bootstrap interval asks for each pair about 200 times
def _counts(targets: tuple[str, ...], text: str) -> tuple[int, int]:
    """The correct slots, and the sum of those that are expected and predicted."""
    answered = read_json(text)
    found = []
    for target in map(read_json, targets):
        if target is None or answered is None:
            found.append((0, sum(_num_slots(value) for value in (target, answered))))
        else:
            correct = shared_fields(target, answered, ordered=False)[0] if target and answered else 0
            found.append((correct, _num_slots(target) + _num_slots(answered)))
    return max(found, key=lambda count: count[0] / (count[1] or 1))


def _num_slots(value: object) -> int:
    """No JSON, {} and [] have none."""
    return num_fields(value) if value else 0
