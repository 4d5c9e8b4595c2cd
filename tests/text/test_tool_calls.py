"""Calls of every form that servers and data sets write are one text, so that they can be compared."""

import json

import pytest

from slmkit.text.tool_calls import answer_message, calls_text, read_call

CALL = {"name": "find", "arguments": {"room": 3}}


@pytest.mark.parametrize(
    "call",
    [
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"room": 3}'}},
        {"function": {"name": "find", "arguments": {"room": 3}}, "index": 0},
        {"name": "find", "arguments": ' {"room":3} '},
        {"name": "find", "parameters": {"room": 3}},
        {"name": "find", "arguments": None, "args": '{"room": 3}'},
        CALL,
    ],
)
def test_a_call_is_its_name_and_its_arguments_as_an_object(call):
    assert read_call(call) == CALL
    assert json.loads(calls_text([call])) == CALL
    assert json.loads(calls_text([call, call])) == [CALL, CALL]


@pytest.mark.parametrize(
    ("arguments", "expected"), [(None, {}), ("", {}), ("  ", {}), ('{"room": ', '{"room": '), ([1], [1])]
)
def test_arguments_that_are_cut_stay_as_they_are_and_missing_ones_are_empty(arguments, expected):
    text = calls_text([{"function": {"name": "find", "arguments": arguments}}])
    assert json.loads(text) == {"name": "find", "arguments": expected}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (["find"], "without a name"),
        ({"name": "", "arguments": {}}, "without a name"),
        ({"name": "find", "arguments": '{"room": '}, "not JSON"),
        ({"name": "find", "arguments": [3]}, "not an object"),
    ],
)
def test_what_is_not_a_call_is_refused_with_its_reason(call, reason):
    with pytest.raises(ValueError, match=reason):
        read_call(call)


def test_an_answer_of_many_brackets_is_a_text():
    text = "[" * 100_000
    assert answer_message(text, has_tools=True) == {"role": "assistant", "content": text}
