"""Compares JSON values: texts are normalised, numbers equal by value, types differ, lists have an order or not."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Hashable
from typing import Any

from slmkit.metrics._text import normalised

_MAX_COMPARISONS = 250_000  # of fields, between two lists: a fifth of a second


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
    Long lists of records (see `_shared_many`): equal items are paired first, the others as they stand.
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


def _shared(one: Any, other: Any, ordered: bool, is_short: bool = False) -> int:
    """The number of fields of `shared_fields`. is_short: inside lists that are short enough to compare all items."""
    if isinstance(one, dict) and isinstance(other, dict) and one and other:
        return sum(_shared(value, other[key], ordered, is_short) for key, value in one.items() if key in other)
    if isinstance(one, list) and isinstance(other, list) and one and other:
        if not any(isinstance(item, dict | list) for item in (*one, *other)):
            return _shared_items(one, other, ordered)
        if is_short or _extent(one) * _extent(other) <= _MAX_COMPARISONS:
            return _shared_records([[_shared(a, b, ordered, True) for b in other] for a in one], ordered)
        return _shared_many(one, other, ordered)
    return int(one == other)


def _extent(value: Any) -> float:
    """A number for each value; to compare all items of two values takes at most the product, in fields compared."""
    if isinstance(value, dict) and value:
        return math.hypot(*map(_extent, value.values()))  # as many comparisons as it has keys, not as pairs of keys
    return sum(map(_extent, value)) if isinstance(value, list) and value else 1.0


def _shared_many(one: list[Any], other: list[Any], ordered: bool) -> int:
    """As `_shared` of two long lists, where to compare each item with each would take minutes.

    Equal items are paired first (in order: as many as possible). What is left, in order between each two such pairs,
    is compared item with item if it is short, and otherwise as it stands: the first with the first, and so on.
    """
    shared, rests = _without_equal(one, other, ordered)
    for a, b in rests:
        if _extent(a) * _extent(b) <= _MAX_COMPARISONS:
            shared += _shared(a, b, ordered, True) if a and b else 0
        else:
            shared += sum(_shared(x, y, ordered) for x, y in zip(a, b, strict=False))
    return shared


def _without_equal(one: list[Any], other: list[Any], ordered: bool) -> tuple[int, list[tuple[list[Any], list[Any]]]]:
    """The number of fields in pairs of equal items, and what is left of both lists before and after such pairs."""
    first, second = _numbered([_key(item, ordered) for item in one], [_key(item, ordered) for item in other])
    if not ordered:
        common = Counter(first) & Counter(second)
        rest, rest_of_other = _left(one, first, common.copy()), _left(other, second, common)
        return num_fields(one) - sum(map(num_fields, rest)), [(rest, rest_of_other)]
    from rapidfuzz.distance import LCSseq

    shared, rests, start, other_start = 0, [], 0, 0
    for code in LCSseq.opcodes(first, second):
        if code.tag == "equal":
            shared += sum(map(num_fields, one[code.src_start : code.src_end]))
            rests.append((one[start : code.src_start], other[other_start : code.dest_start]))
            start, other_start = code.src_end, code.dest_end
    return shared, [*rests, (one[start:], other[other_start:])]


def _left(items: list[Any], keys: list[int], paired: Counter[int]) -> list[Any]:
    left = []
    for item, key in zip(items, keys, strict=True):
        if paired[key]:
            paired[key] -= 1
        else:
            left.append(item)
    return left


def _shared_items(one: list[Hashable], other: list[Hashable], ordered: bool) -> int:
    if not ordered:
        return (Counter(one) & Counter(other)).total()
    from rapidfuzz.distance import LCSseq

    return int(LCSseq.similarity(*_numbered(one, other)))


def _numbered(one: list[Hashable], other: list[Hashable]) -> tuple[list[int], list[int]]:
    """A number for each different item: rapidfuzz compares items by their hash, which -1 and -2 have in common."""
    numbers: dict[Hashable, int] = {}
    first, second = ([numbers.setdefault(item, len(numbers)) for item in items] for items in (one, other))
    return first, second


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
