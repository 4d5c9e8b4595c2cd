"""Tool calls as one text that metrics can compare: the name and the arguments, without ids."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def calls_text(calls: Sequence[Mapping[str, Any]]) -> str:
    """The calls as JSON: one object {"name", "arguments"}, or a list of them if there are several.

    Example: [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\\"room\\": 3}"}}] ->
    '{"name": "find", "arguments": {"room": 3}}'. Arguments that are not JSON stay as the text they are.
    """
    plain = [_plain(call) for call in calls]
    return json.dumps(plain[0] if len(plain) == 1 else plain, ensure_ascii=False)


def answer_text(message: Mapping[str, Any]) -> str:
    """The text of an assistant message: its tool calls, as of any answer that has some, else its content."""
    calls = message.get("tool_calls")
    return calls_text(calls) if calls else str(message.get("content") or "")


def answer_message(text: str, *, has_tools: bool) -> dict[str, Any]:
    """The assistant message of an answer; if tools were offered and the text is a call of one, with tool_calls."""
    calls = _calls_in(text) if has_tools else []
    if not calls:
        return {"role": "assistant", "content": text}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": c} for c in calls]}


def _calls_in(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    calls = found if isinstance(found, list) else [found]
    is_call = all(isinstance(call, dict) and set(call) == {"name", "arguments"} for call in calls)
    return calls if is_call else []


def _plain(call: Mapping[str, Any]) -> dict[str, Any]:
    called = call.get("function")
    called = called if isinstance(called, Mapping) else call
    arguments = called.get("arguments")
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError, RecursionError):
            arguments = json.loads(arguments) if arguments.strip() else {}
    return {"name": called.get("name"), "arguments": {} if arguments is None else arguments}
