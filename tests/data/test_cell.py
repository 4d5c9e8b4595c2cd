"""0 and false are values, NaN is not; a number is written in one way; a table is lines of cells."""

import math

import pytest

from slmkit.data.cell import as_prose, as_text, is_empty


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "false", [0], {"a": None}])
def test_zero_and_false_are_values(value):
    assert not is_empty(value)


@pytest.mark.parametrize("value", [None, "", " \n", math.nan, [], {}])
def test_nothing_is_empty(value):
    assert is_empty(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (-0.5, "-0.5"),
        (1e300, "1e+300"),
        (True, "true"),
        (" a ", "a"),
        ({"a": [1.0]}, '{"a": [1.0]}'),
    ],
)
def test_a_value_is_written_in_one_way(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([["a", 1], ["b\nc", 2.0]], "a | 1\nb c | 2"),
        ({"header": ["x"], "rows": [["1"]], "name": "t"}, "x\n1"),
        ({"columns": ["x"], "data": [["1"]]}, "x\n1"),
        (["a", "b"], "a\nb"),
        ([{"a": 1}], '[{"a": 1}]'),
        ({"rows": "no table"}, '{"rows": "no table"}'),
    ],
)
def test_a_table_is_lines_of_cells(value, text):
    assert as_prose(value) == text
