"""Answers that are JSON: whether they can be read, and which of their fields are right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from slmkit.metrics._text import normalised, read_json
from slmkit.types import Answer, Example


def json_valid(example: Example, answer: Answer) -> float:
    """1 when the answer is or contains a JSON object or array, e.g. between ``` marks."""
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


def fields_of(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """("city", "oslo"), ("legs[].to", "rome"): list items share a path, so their order is free; None: nothing."""
    if value is None and not path:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from fields_of(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner, f"{path}[]")
    else:
        yield path, normalised(value if isinstance(value, str) else json.dumps(value))
