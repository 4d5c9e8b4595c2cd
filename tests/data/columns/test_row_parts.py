"""A row with nested values becomes as many rows as its text has leaves; what belongs together stays together."""

import pytest
from data_rows import pairs, rows
from hypothesis import given
from hypothesis import strategies as st

from slmkit.data.canonical_row import RowFault
from slmkit.data.convert import convert, parts_of
from slmkit.data.find_shape import find_shape

QAS = "text_column=qas.q label_column=qas.a"
SIDE_BY_SIDE = "text_column=asked.q label_column=answered.a"


def test_each_question_of_a_row_has_its_own_answer():
    nested = {"qas": [{"q": "one", "a": "1"}, {"q": "two", "a": "2"}]}
    assert pairs([nested, {"qas": [{"q": "three", "a": 3}]}], QAS) == [("one", "1"), ("two", "2"), ("three", "3")]


def test_lists_in_lists_stay_apart():
    nested = {"p": [{"qas": [{"q": "one", "a": "1"}]}, {"qas": [{"q": "two", "a": "2"}, {"q": "three", "a": "3"}]}]}
    found = pairs([nested], "text_column=p.qas.q label_column=p.qas.a")
    assert found == [("one", "1"), ("two", "2"), ("three", "3")]


def test_a_text_around_the_questions_is_in_each():
    nested = {"story": "s", "qas": [{"q": "one", "a": "1"}, {"q": "two", "a": "2"}]}
    assert pairs([nested], "text_column='{story} {qas.q}' label_column=qas.a") == [("s one", "1"), ("s two", "2")]


def test_lists_of_the_same_length_go_together_and_are_said():
    nested = {"asked": [{"q": "one"}, {"q": "two"}], "answered": [{"a": "1"}, {"a": "2"}]}
    assert pairs([nested], SIDE_BY_SIDE) == [("one", "1"), ("two", "2")]
    shape = find_shape(rows(nested), text_column="asked.q", label_column="answered.a")
    assert shape.notes == ("'asked' and 'answered' go together item by item",)


def test_a_row_whose_lists_differ_in_length_is_refused():
    good = {"asked": [{"q": "one"}, {"q": "two"}], "answered": [{"a": "1"}, {"a": "2"}]}
    shape = find_shape(rows(good), text_column="asked.q", label_column="answered.a")
    for answered in ([{"a": "1"}], [{"a": "1"}, {"a": "2"}, {"a": "3"}]):
        with pytest.raises(RowFault, match="different lengths"):
            parts_of(rows({**good, "answered": answered})[0], shape)


def test_lists_that_do_not_go_together_are_one_answer():
    nested = {"asked": [{"q": "one"}], "answered": [{"a": "1"}, {"a": "2"}]}
    assert pairs([nested], SIDE_BY_SIDE) == [("one", '["1", "2"]')]


def test_an_empty_list_is_an_answer_but_a_missing_one_is_not():
    values = [{"t": "x", "found": [{"name": "a"}, {"name": "b"}]}, {"t": "y", "found": []}, {"t": "z"}]
    shape = find_shape(rows(*values), text_column="t", label_column="found.name")
    made = [part for row in rows(*values) for part in parts_of(row, shape)]
    assert [convert(part, shape)[0].target for part in made[:2]] == ['["a", "b"]', "[]"]
    with pytest.raises(RowFault, match=r"empty found.name"):
        convert(made[2], shape)


def test_a_question_without_an_answer_leaves_the_others():
    nested = {"qas": [{"q": "one", "a": "1"}, {"q": "two", "a": None}, {"q": "three", "a": "3"}]}
    shape = find_shape(rows(nested), text_column="qas.q", label_column="qas.a")
    kept, faults = [], []
    for part in parts_of(rows(nested)[0], shape):
        try:
            kept += convert(part, shape)
        except RowFault as fault:
            faults.append(str(fault))
    assert [row.target for row in kept] == ["1", "3"]
    assert faults == ["empty qas.a"]


TREES = st.lists(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=4), min_size=1)


@given(TREES)
def test_no_question_loses_or_changes_its_answer(tree):
    nested = {"p": [{"qas": [{"q": f"q{q}", "a": f"a{a}"} for q, a in inner]} for inner in tree]}
    found = pairs([nested], "text_column=p.qas.q label_column=p.qas.a")
    assert found == [(f"q{q}", f"a{a}") for inner in tree for q, a in inner]
