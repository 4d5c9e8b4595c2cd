"""Long lists of records are compared in a moment, and as exactly as short ones where it counts."""

import json
import time

import pytest

from slmkit.metrics import _json_value
from slmkit.metrics._json_value import shared_fields
from slmkit.metrics.fields import json_fields
from slmkit.types import Answer, Example


def nested(start, depth=3):
    return [nested(start * 9 + i, depth - 1) for i in range(9)] if depth else {"at": start, "of": start % 7}


@pytest.mark.long
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([{"id": i, "of": 1} for i in range(3000)], [{"id": -i, "of": 2} for i in range(3000)]),
        (nested(0, 4), nested(1, 4)),
    ],
    ids=["records", "nested"],
)
def test_lists_in_which_all_differs_are_compared_in_seconds(one, other, ordered):
    example, answer = Example("1", "?", json.dumps(one)), Answer("1", json.dumps(other))
    start = time.process_time()
    assert 0 <= json_fields(example, answer, ordered=ordered) < 1
    assert time.process_time() - start < 15  # minutes, if each record were compared with each


@pytest.mark.parametrize("ordered", [True, False])
def test_in_long_lists_all_equal_records_are_found_and_those_between_them_are_compared(ordered):
    one = [{"id": i, "of": i % 3, "at": "attic"} for i in range(2000)]
    other = [dict(row) for row in one if row["id"] % 100 != 7]  # 20 are missing
    for row in other[50::100]:
        row["at"] = "barn"  # 20 have one field that is wrong
    shared, expected, predicted = shared_fields(one, other, ordered=ordered)
    assert (shared, expected, predicted) == (3 * 1980 - 20, 6000, 5940)
    assert shared_fields(other, one, ordered=ordered)[0] == shared


@pytest.mark.parametrize("ordered", [True, False])
def test_what_is_left_of_long_lists_is_paired_as_it_stands(monkeypatch, ordered):
    monkeypatch.setattr(_json_value, "_MAX_COMPARISONS", 3)
    same, rest = [{"a": 1, "b": 2}], [{"a": i, "b": i} for i in (5, 6, 7)]
    changed = [{"a": i, "b": 0} for i in (5, 6, 9)]
    assert shared_fields([*same, *rest], [*same, *changed], ordered=ordered)[0] == 2 + 2
    assert shared_fields([*same, *rest], [*changed, *same], ordered=ordered)[0] == (2 if ordered else 2 + 2)


def test_numbers_with_one_hash_differ():
    assert shared_fields([-1, 5], [-2, 5]) == (1, 2, 2)  # hash(-1) == hash(-2)
