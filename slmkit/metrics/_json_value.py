"""Compares JSON values: texts are normalised, numbers equal by value, types differ, lists have an order or not."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable
from typing import Any

from slmkit.metrics._text import normalised


def same_json(one: Any, other: Any, *, ordered: bool = True) -> bool:
    """Whether two values are equal: {"n": 1, "at": "Oslo"} and {"at": "oslo", "n": 1.0} are; 1, "1" and true are not.

    ordered False: lists are equal if they have the same items, each as often.
    """
    one, other = _plain(one), _plain(other)
    return bool(one == other if ordered else _key(one, ordered) == _key(other, ordered))


def shared_fields(one: Any, other: Any, *, ordered: bool = True) -> tuple[int, int, int]:
    """How many fields are the same in both values, and how many each has.

    A field is a value that is not an object or list, or is an empty one. Items of lists are paired so that most fields
    agree, in order: [a, b, c] and [a, c] share two. ordered False: in any order.
    """
    one, other = _plain(one), _plain(other)
    shared = num_fields(one) if one == other else _shared(one, other, ordered)
    return shared, num_fields(one), num_fields(other)


def num_fields(value: Any) -> int:
    """The number of fields of a value."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(num_fields, inside)) or 1


def _plain(value: Any) -> Any:
    """The value with normalised texts and each number, word and text beside its type, so that == compares JSON."""
    if isinstance(value, dict):
        return {unicodedata.normalize("NFC", key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return ("text", normalised(value))
    return ("word" if value is None or isinstance(value, bool) else "number", value)


def _key(value: Any, ordered: bool) -> Hashable:
    """A hashable value that is equal for equal values of `_plain`."""
    if isinstance(value, dict):
        return "object", frozenset((key, _key(inner, ordered)) for key, inner in value.items())
    if isinstance(value, list):
        items = [_key(item, ordered) for item in value]
        return "list", tuple(items) if ordered else frozenset(Counter(items).items())
    return value  # type: ignore[no-any-return]


def _shared(one: Any, other: Any, ordered: bool) -> int:
    if isinstance(one, dict) and isinstance(other, dict) and one and other:
        return sum(_shared(value, other[key], ordered) for key, value in one.items() if key in other)
    if isinstance(one, list) and isinstance(other, list) and one and other:
        if any(isinstance(item, dict | list) for item in (*one, *other)):
            return _shared_records([[_shared(a, b, ordered) for b in other] for a in one], ordered)
        return _shared_items(one, other, ordered)
    return int(one == other)


def _shared_items(one: list[Hashable], other: list[Hashable], ordered: bool) -> int:
    if not ordered:
        return (Counter(one) & Counter(other)).total()
    from rapidfuzz.distance import LCSseq

    return int(LCSseq.similarity(one, other))


def _shared_records(gains: list[list[int]], ordered: bool) -> int:
    """The greatest sum of gains[i][j] over pairs (i, j) that use each row and column once: in order, or in any."""
    if not ordered:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(gains, maximize=True)
        return sum(gains[i][j] for i, j in zip(rows, columns, strict=True))
    best = [0] * (len(gains[0]) + 1)  # best[j]: with the rows so far and the first j columns
    for row in gains:
        diagonal = 0
        for j, gain in enumerate(row, 1):
            diagonal, best[j] = best[j], max(best[j], best[j - 1], diagonal + gain)
    return best[-1]
