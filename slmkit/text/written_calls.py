"""Tool calls as models write them, read from the text of an answer.

    <tool_call>{"name": "find", "arguments": {"room": 3}}</tool_call>       Hermes, Qwen2.5, Qwen3
    <tool_call><function=find><parameter=room>3</parameter></function>…     Qwen3-Coder, Qwen3.5, Nemotron 3
    {"name": "find", "parameters": {"room": 3}}                             Llama 3, one after the other
    [TOOL_CALLS][{"name": "find", "arguments": {"room": 3}}]                Mistral; Phi and Granite with other tags

Only what is whole is a call: an answer that was cut in its arguments stays the text that it is. The closing tag may be
missing or cut: some models end with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slmkit.text.tool_calls import Call, has_arguments, read_call, unwrapped

_TAGGED = re.compile(r"<(tool_call|function_?call)>(.*?)(?:</\1>|(?:</?[a-z_]*)?\Z)", re.DOTALL)
_OPENED = re.compile(r"(?:\[TOOL_CALLS\]|<\|tool_call\|>|<\|python_tag\|>|<function_?call>)(.*)", re.DOTALL)
_ENDS = re.compile(r"<\|/tool_call\|>\s*\Z|<\|e[a-z]+_id\|>\s*\Z")
_FENCE = re.compile(r"\s*```(?:json|tool_call)?\s*(.*?)\s*```\s*", re.DOTALL)
_FUNCTION = re.compile(r"\s*<function=([^>]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_KEYS = {"name", "arguments", "parameters", "id", "type"}


def written_calls(text: str, tools: Sequence[Any]) -> list[Call]:
    """The calls that an answer consists of, or has beside other text if they are tagged; [] if there are none.

    A bare JSON object is a call only if it names one of the tools: other answers are JSON too.
    """
    schemas = {name: schema for name, schema in map(_named, tools) if name}
    if blocks := [match[2] for match in _TAGGED.finditer(text)]:
        found = [_one_or_more(block, schemas) for block in blocks]
        return [call for calls in found for call in calls] if all(found) else []
    if opened := _OPENED.search(text):
        return _one_or_more(_ENDS.sub("", opened[1]), schemas)
    fenced = _FENCE.fullmatch(text)
    calls = _one_or_more(fenced[1] if fenced else text, schemas)
    return calls if all(call["name"] in schemas for call in calls) else []


def has_tags(text: str) -> bool:
    """Whether a text holds a call between tags: a target written so is compared with such answers as they are."""
    return bool(_TAGGED.search(text) or _OPENED.search(text))


def _one_or_more(text: str, schemas: Mapping[str, Any]) -> list[Call]:
    """All of the text as calls, or []."""
    if function := _FUNCTION.match(text):
        return [_from_markup(function, schemas)]
    try:
        values = list(_json_values(text))
    except (ValueError, RecursionError):
        return []
    flat = [call for value in values for call in (value if isinstance(value, list) else [value])]
    calls = list(map(_call, flat))
    return [call for call in calls if call] if all(calls) else []


def _json_values(text: str) -> Iterator[Any]:
    """The JSON values of a text, one after the other, with nothing but white space, commas or semicolons between."""
    decoder, at = json.JSONDecoder(), 0
    while (at := len(text) - len(text[at:].lstrip(" \t\r\n,;"))) < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value


def _call(value: Any) -> Call | None:
    try:
        return read_call(value) if has_arguments(value) and set(unwrapped(value)) <= _KEYS else None
    except ValueError:
        return None


def _from_markup(function: re.Match[str], schemas: Mapping[str, Any]) -> Call:
    """A call whose parameters are text: one is read as JSON unless its schema says that it is a string."""
    name = function[1].strip()
    schema = schemas.get(name)
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    arguments = {}
    for key, text in _PARAMETER.findall(function[2]):
        property = properties.get(key.strip()) if isinstance(properties, Mapping) else None
        is_text = isinstance(property, Mapping) and property.get("type") == "string"
        try:
            arguments[key.strip()] = text if is_text else json.loads(text)
        except (ValueError, RecursionError):
            arguments[key.strip()] = text
    return {"name": name, "arguments": arguments}


def _named(tool: Any) -> tuple[str, Any]:
    function = unwrapped(tool)
    return str(function.get("name") or ""), function.get("parameters")
