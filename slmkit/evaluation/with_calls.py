"""Rewrites an answer that is a tool call. A model may write calls in any syntax; targets have one."""

from __future__ import annotations

from dataclasses import replace

from slmkit.text.tool_calls import calls_text
from slmkit.text.written_calls import has_tags, written_calls
from slmkit.types import Answer, Example


def with_calls(example: Example, answer: Answer) -> Answer:
    """The answer, with a call of the tools that were offered as one text: {"name": …, "arguments": …}.

    A target that has the tags of such a call asks for them, so answers to it stay as they are.
    """
    if answer.error or not example.tools or any(map(has_tags, (example.target, *example.aliases))):
        return answer
    calls = written_calls(answer.text, example.tools)
    return replace(answer, text=calls_text(calls)) if calls else answer
