"""Tool calls: the one reader of a call, whoever wrote it, and calls as one text that metrics can compare.

    {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\\"room\\": 3}"}}    OpenAI
    {"name": "find", "arguments": {"room": 3}}                                                     most data sets
    {"name": "find", "parameters": {"room": 3}}                                                    Llama 3; also "args"
    -> {"name": "find", "arguments": {"room": 3}}

Calls in the text of an answer, with the tags of each model, are found by `written_calls`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Call = dict[str, Any]  # {"name", "arguments"}

_ARGUMENTS = ("arguments", "parameters", "args", "kwargs")


def read_call(call: Any, *, parse: Callable[[str], Any] = json.loads) -> Call:
    """The call {"name", "arguments"}, with the arguments as an object; {} if they are missing, null or "".

    parse: reads arguments that are a text. Raises: ValueError with the reason if there is no name, or no object.
    """
    name, arguments = called(call, parse=parse)
    if not isinstance(name, str) or not name:
        raise ValueError("a tool call without a name")
    if isinstance(arguments, str):
        raise ValueError("the arguments of a tool call that is not JSON")
    if not isinstance(arguments, Mapping):
        raise ValueError("a tool call whose arguments are not an object")
    return {"name": name, "arguments": arguments}


def called(call: Any, *, parse: Callable[[str], Any] = json.loads) -> tuple[Any, Any]:
    """The name and the arguments of a call as they stand; arguments in a text are parsed, or stay that text."""
    function = unwrapped(call)
    arguments = next((value for key in _ARGUMENTS if (value := function.get(key)) is not None), None)
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError, RecursionError):
            arguments = parse(arguments) if arguments.strip() else {}
    return function.get("name"), {} if arguments is None else arguments


def unwrapped(call: Any) -> Mapping[str, Any]:
    """What is under "function" if the call has it, else the call; {} for what is not an object."""
    function = call.get("function") if isinstance(call, Mapping) else None
    function = function if isinstance(function, Mapping) else call
    return function if isinstance(function, Mapping) else {}


def has_arguments(call: Any) -> bool:
    """Whether a call states its arguments, which sets calls apart from other JSON with a name."""
    return not unwrapped(call).keys().isdisjoint(_ARGUMENTS)


def calls_text(calls: Sequence[Mapping[str, Any]]) -> str:
    """The calls as JSON: one object {"name", "arguments"}, or a list of them if there are several.

    Example: [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\\"room\\": 3}"}}] ->
    '{"name": "find", "arguments": {"room": 3}}'. Arguments that are not JSON stay as the text they are.
    """
    plain = [dict(zip(("name", "arguments"), called(call), strict=True)) for call in calls]
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
