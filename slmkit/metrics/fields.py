"""Answers that are JSON: whether they can be read, and which of their fields are right."""

from __future__ import annotations

from collections import Counter

from slmkit.metrics._text import fields_of, read_json
from slmkit.types import Answer, Example


def json_valid(example: Example, answer: Answer) -> float:
    """1 when the answer is or contains a JSON object or array, e.g. between ``` marks: "As source [1] says" -> 0.0."""
    return float(read_json(answer.text) is not None)


def json_fields(example: Example, answer: Answer) -> float:
    """F1 of the fields, a field being a path with a value that is equal after normalisation; order does not count.

    target {"city": "Oslo", "days": 2}, answer {"city": "oslo"} -> precision 1, recall 1/2 -> 0.667.
    An answer that is not JSON -> 0.0.
    """
    said, right = read_json(answer.text), read_json(example.target)
    if said is None or right is None:
        return 0.0
    ours, theirs = Counter(fields_of(said)), Counter(fields_of(right))
    if not ours and not theirs:
        return 1.0
    return 2 * sum((ours & theirs).values()) / (sum(ours.values()) + sum(theirs.values()))


def json_match(example: Example, answer: Answer) -> float:
    """1 when every field of the target is there with its value and no other is."""
    return float(json_fields(example, answer) == 1.0)
