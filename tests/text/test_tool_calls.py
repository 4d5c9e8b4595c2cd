"""Calls of every form that servers and data sets write are one text, so that they can be compared."""

import json

import pytest

from slmkit.text.tool_calls import answer_message, calls_text

CALL = {"name": "find", "arguments": {"room": 3}}


@pytest.mark.parametrize(
    "call",
    [
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"room": 3}'}},
        {"function": {"name": "find", "arguments": {"room": 3}}, "index": 0},
        {"name": "find", "arguments": ' {"room":3} '},
        CALL,
    ],
)
def test_a_call_is_its_name_and_its_arguments_as_an_object(call):
    assert json.loads(calls_text([call])) == CALL
    assert json.loads(calls_text([call, call])) == [CALL, CALL]


@pytest.mark.parametrize(
    ("arguments", "expected"), [(None, {}), ("", {}), ("  ", {}), ('{"room": ', '{"room": '), ([1], [1])]
)
def test_arguments_that_are_cut_stay_as_they_are_and_missing_ones_are_empty(arguments, expected):
    text = calls_text([{"function": {"name": "find", "arguments": arguments}}])
    assert json.loads(text) == {"name": "find", "arguments": expected}


def test_an_answer_of_many_brackets_is_a_text():
    text = "[" * 100_000
    assert answer_message(text, has_tools=True) == {"role": "assistant", "content": text}
