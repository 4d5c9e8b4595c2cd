"""Tool calls in the syntaxes that models write are read, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest

from slmkit.evaluation.with_calls import with_calls
from slmkit.text.written_calls import written_calls
from slmkit.types import Answer, Example

TOOLS = [
    {"type": "function", "function": {"name": "find", "parameters": {
        "type": "object", "properties": {"room": {"type": "string"}, "n": {"type": "integer"}}}}},
    {"name": "say"},
]  # fmt: skip
FIND = {"name": "find", "arguments": {"room": "3", "n": 2}}
TEXT = json.dumps(FIND)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"[{TEXT}]",
        '{"name": "find", "parameters": {"room": "3", "n": 2}}',
        '{"type": "function", "function": {"name": "find", "arguments": "{\\"room\\": \\"3\\", \\"n\\": 2}"}}',
        f"<tool_call>\n{TEXT}\n</tool_call>",
        f"<tool_call>{TEXT}",  # the closing tag was the end token
        f"<tool_call>{TEXT}</tool_c",
        f"Let me look.\n<tool_call>{TEXT}</tool_call>",
        f"<functioncall> {TEXT}",
        f"[TOOL_CALLS] [{TEXT}]",
        f"<|tool_call|>[{TEXT}]<|/tool_call|>",
        f"<|python_tag|>{TEXT}<|eom_id|>",
        "<tool_call>\n<function=find>\n<parameter=room>\n3\n</parameter>\n<parameter=n>\n2\n</parameter>\n</function>\n"
        "</tool_call>",
    ],
)
def test_a_call_is_read_in_every_syntax(text):
    assert written_calls(text, TOOLS) == [FIND]
    example = Example("a", "where?", TEXT, tools=tuple(TOOLS))
    answer = with_calls(example, Answer("a", text))
    assert json.loads(answer.text) == FIND
    assert with_calls(example, answer) == answer


def test_several_calls_are_a_list_in_order():
    say = {"name": "say", "arguments": {}}
    for text in (
        f'<tool_call>{TEXT}</tool_call>\n<tool_call>{{"name": "say", "arguments": {{}}}}</tool_call>',
        f'{TEXT}; {{"name": "say", "parameters": {{}}}}',
        f'[TOOL_CALLS][{TEXT}, {{"name": "say", "arguments": {{}}}}]',
    ):
        assert written_calls(text, TOOLS) == [FIND, say]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is in room 3.",
        '{"name": "Ada", "arguments": ["for", "against"]}',  # not one of the tools
        '{"name": "find"}',
        '{"name": "find", "arguments": {"room": "3"}, "why": "asked"}',
        '{"name": 3, "arguments": {}}',
        f"{TEXT} is what I would call",
        '<tool_call>{"name": "find", "arguments": {"room": "3</tool_call>',
        '<tool_call>{"name": "find", "arguments": {"roo',
        "<tool_call></tool_call>",
        "[" * 9999,
    ],
)
def test_what_is_not_a_whole_call_stays_as_it_is(text):
    assert written_calls(text, TOOLS) == []
    answer = Answer("a", text)
    assert with_calls(Example("a", "where?", TEXT, tools=tuple(TOOLS)), answer) == answer


def test_an_answer_stays_as_it_is_without_tools_and_for_a_target_with_tags():
    answer = Answer("a", f"<tool_call>{TEXT}</tool_call>")
    assert with_calls(Example("a", "where?", TEXT), answer) == answer
    assert with_calls(Example("a", "where?", answer.text, tools=tuple(TOOLS)), answer) == answer
