"""JSON answers: whether they can be parsed, and which of their fields are right."""

from __future__ import annotations

from collections import Counter

from slmkit.metrics._text import fields_of, read_json
from slmkit.types import Answer, Example


def json_valid(example: Example, answer: Answer) -> float:
    """1 if the answer contains a JSON object or array, for example in a code block.

    'Here: {"city": "Oslo"}' -> 1.0; '{"city": ' -> 0.0; "As source [1] says" -> 0.0, because [1] is a citation.
    """
    return float(read_json(answer.text) is not None)


def json_fields(example: Example, answer: Answer) -> float:
    """F1 of the fields: a field is right if its path and its normalised value are; order does not matter.

    target {"city": "Oslo", "days": 2}, answer {"city": "oslo"}: precision 1, recall 1/2 -> 0.667.
    An answer without JSON -> 0.0.
    """
    answered, target = read_json(answer.text), read_json(example.target)
    if answered is None or target is None:
        return 0.0
    predicted, expected = Counter(fields_of(answered)), Counter(fields_of(target))
    if not predicted and not expected:
        return 1.0
    return 2 * (predicted & expected).total() / (predicted.total() + expected.total())


def json_match(example: Example, answer: Answer) -> float:
    """1 if the answer has exactly the fields of the target, with their values.

    target {"city": "Oslo", "days": 2}: answer {"days": 2, "city": "oslo"} -> 1.0; {"city": "Oslo"} -> 0.0.
    """
    return float(json_fields(example, answer) == 1.0)
