"""A request, the tools and the right calls become a chat with tools, however tools and calls are written."""

import json

import pytest
from data_rows import rows

from slmkit.data.canonical_row import RowFault
from slmkit.data.convert import convert, parts_of
from slmkit.data.find_shape import find_shape

TOOL = {"name": "rain", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
CALL = {"name": "rain", "arguments": {"city": "Ulm"}}
WRAPPED = {"type": "function", "function": TOOL}


@pytest.mark.parametrize(
    ("tools", "calls"),
    [
        ([TOOL], [CALL]),
        (json.dumps([TOOL]), json.dumps([CALL])),
        ([WRAPPED], CALL),
        ([WRAPPED], [{"type": "function", "function": {**CALL, "arguments": json.dumps(CALL["arguments"])}}]),
        ([TOOL], [{"name": "rain", "parameters": {"city": "Ulm"}}]),
        ([TOOL], [{"name": "rain", "kwargs": "{'city': 'Ulm'}"}]),
        ([TOOL], [{"name": "rain", "arguments": None, "parameters": {"city": "Ulm"}}]),
    ],
)
@pytest.mark.parametrize("names", [("query", "tools", "answers"), ("instruction", "functions", "output")])
def test_tools_and_calls_are_read_in_every_form(tools, calls, names):
    values = dict(zip(names, ("Rain in Ulm?", tools, calls), strict=True))
    shape = find_shape(rows(values))
    (part,) = parts_of(rows(values)[0], shape)
    (found,) = convert(part, shape)
    assert found.values["tools"] == [WRAPPED]
    assert found.values["messages"] == [
        {"role": "user", "content": "Rain in Ulm?"},
        {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]},
    ]
    assert json.loads(found.target) == CALL


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"answers": "[]"}, "answers is not a list of calls"),
        ({"answers": [{"name": "rain", "arguments": "Ulm"}]}, "answers is not a list of calls"),
        ({"tools": "?"}, "tools is not"),
        ({"query": ""}, "query"),
    ],
)
def test_a_row_without_calls_or_tools_is_dropped_with_its_reason(changed, reason):
    values = {"query": "Rain in Ulm?", "tools": [TOOL], "answers": [CALL]}
    with pytest.raises(RowFault, match=reason):
        parts_of(rows({**values, **changed})[0], find_shape(rows(values)))


def test_text_answers_keep_their_tools():
    values = {"question": "Hello?", "tools": [TOOL], "answer": "Hi."}
    (found,) = convert(rows(values)[0], find_shape(rows(values)))
    assert found.values["tools"] == [WRAPPED]
