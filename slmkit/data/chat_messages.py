"""Messages and tools as every stage reads them, whichever of the field's formats they were written in.

    {"from": "function_call", "value": '{"name": "find", "arguments": "{\\"room\\": 3}"}'}
    -> {"role": "assistant", "content": "",
        "tool_calls": [{"type": "function", "function": {"name": "find", "arguments": {"room": 3}}}]}

Roles have one name, content is text, the arguments of a tool call are an object, and an assistant turn that is not
trained on has "weight": 0. What cannot be read this way raises RowFault; nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import as_text, is_empty
from slmkit.text.tool_calls import read_call
from slmkit.types import Message

_CALLS = ("function_call", "tool_call")  # as a role: the content is the call, as JSON
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
          "bot": "assistant", "model": "assistant", "system": "system", "developer": "system", "tool": "tool",
          "ipython": "tool", "observation": "tool", "function": "tool", "function_response": "tool",
          "tool_response": "tool", **dict.fromkeys(_CALLS, "assistant")}  # fmt: skip
_MARKS = ("weight", "train", "loss")  # whether to train on a turn: OpenAI and Mistral, axolotl, ms-swift
CHAT_COLUMNS = ("messages", "conversations", "prompt", "chosen", "rejected", "completion")  # may hold turns
TEXT_PARTS = ("text", "input_text", "output_text")  # the types of the parts of a content that are text
_SPOKEN = re.compile(r"\n\n(Human|Assistant):")  # transcripts in Anthropic's preference data
_SPEAKERS = {"Human": "user", "Assistant": "assistant"}
_MEDIA = frozenset(("images", "image", "videos", "video", "audios", "audio"))  # keys of a row or a message
_CLEAN_ROLES = ("user", "assistant", "system")
_REWRITTEN = {*_MARKS, *_MEDIA, "from", "value", "role", "content", "tool_calls", "function_call"}


def clean_chat(row: Any) -> tuple[list[Message], list[dict[str, Any]]]:
    """The messages and tools of a row {"messages", "tools"}, as training reads them. Raises: RowFault."""
    if not isinstance(row, Mapping):
        raise RowFault("no messages")
    messages, tools = clean_messages(row.get("messages")), clean_tools(row.get("tools") or row.get("functions"))
    refuse_media(row)
    return messages, tools


def clean_messages(messages: Any, *, from_arrow: bool = False) -> list[Message]:
    """The messages with one spelling; from_arrow: a null may only fill a column that other rows have.

    Consecutive function_call turns become one turn with several calls, as they were made at once.
    Raises: RowFault for a message without a known role, without text, or with more than text.
    """
    if isinstance(messages, str):
        messages = _json(messages, "messages")
    if not isinstance(messages, list) or not messages:
        raise RowFault("no messages")
    cleaned: list[Message] = []
    follows_call = False
    for message in messages:
        if _is_clean(message):  # most are: twice as fast
            cleaned.append(message)
            follows_call = False
            continue
        if not isinstance(message, Mapping):
            raise RowFault("a message that is not an object")
        named = message.get("role", message.get("from"))
        if named is None:
            raise RowFault("a message without a role")
        role = _ROLES.get(named) if isinstance(named, str) else None
        if role is None:
            raise RowFault(f"unknown role {named!r}")
        turn = _turn(message, role, named, from_arrow=from_arrow)
        if role == "system" and not turn["content"].strip():
            continue
        if named in _CALLS and follows_call:
            cleaned[-1]["tool_calls"] += turn["tool_calls"]
        else:
            cleaned.append(turn)
        follows_call = named in _CALLS
    return cleaned


def ignored_marks(messages: Any) -> int:
    """The number of turns that are marked to carry loss but never do, because they are not the assistant's."""
    if not isinstance(messages, list):
        return 0
    turns = [turn for turn in messages if isinstance(turn, Mapping) and not _is_clean(turn)]
    return sum(
        _is_marked(turn) for turn in turns if _ROLES.get(str(turn.get("role", turn.get("from")))) != "assistant"
    )


def turns_in(value: Any, role: str, *, from_arrow: bool = False) -> list[Message]:
    """A cell as messages: one or several, a "Human: … Assistant: …" transcript, or one turn of the role.

    Raises: RowFault.
    """
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]
    elif isinstance(value, dict) and ("role" in value or "from" in value):
        value = [value]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return clean_messages(value, from_arrow=from_arrow)
    text = value if isinstance(value, str) else as_text(value)
    before, *parts = _SPOKEN.split(text)
    if before.strip() or not parts:
        return [{"role": role, "content": text.strip()}]
    spoken = zip(parts[::2], parts[1::2], strict=True)
    return clean_messages([{"role": _SPEAKERS[who], "content": said.strip()} for who, said in spoken])


def clean_tools(tools: Any, *, from_arrow: bool = False) -> list[dict[str, Any]]:
    """The tools as {"type": "function", "function": {"name", …}}; they may be JSON text, and bare functions."""
    if isinstance(tools, str):
        tools = _json(tools, "tools") if tools.strip() else []
    listed = [tools] if isinstance(tools, Mapping) else tools or []
    if not isinstance(listed, list):
        raise RowFault("tools that are not a list")
    cleaned = []
    for given in listed:
        tool = _json(given, "tools") if isinstance(given, str) else given
        function = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
            raise RowFault("a tool without a name")
        function = {key: value for key, value in function.items() if function is not tool or key != "type"}
        cleaned.append({"type": "function", "function": _without_nulls(function) if from_arrow else function})
    return cleaned


def refuse_media(values: Mapping[str, Any]) -> None:
    """Raises RowFault if a row or message comes with images, audio or video."""
    if not _MEDIA.isdisjoint(values):
        for key in sorted(_MEDIA.intersection(values)):
            if values[key]:
                raise RowFault(f"{key}: only text is read")


def plain_text(value: Any, role: str = "") -> str:
    """A content as text: "" for null, the text parts of a list, JSON for what a tool returned."""
    if isinstance(value, str):
        return value
    if is_empty(value):
        return ""
    if isinstance(value, Mapping) and value.get("type") in TEXT_PARTS:
        value = [value]
    if isinstance(value, list) and (role != "tool" or _are_parts(value)):
        return "\n".join(filter(None, map(_part, value)))
    if isinstance(value, Mapping) and role != "tool":
        raise RowFault(f"{role} message with a record instead of text")
    return as_text(value)


def _is_clean(message: Any) -> bool:
    """Whether a message is only a role and a text, spelled as here."""
    if type(message) is not dict or len(message) != 2 or message.get("role") not in _CLEAN_ROLES:
        return False
    content = message.get("content")
    return type(content) is str and bool(content) and not content.isspace()


def _turn(message: Mapping[str, Any], role: str, named: str, *, from_arrow: bool) -> Message:
    refuse_media(message)
    content = plain_text(message.get("content", message.get("value")), role)
    calls: list[dict[str, Any]] = []
    if named in _CALLS:
        calls, content = _calls(content, from_arrow=from_arrow), ""
    elif role == "assistant":
        calls = _calls(message.get("tool_calls") or message.get("function_call"), from_arrow=from_arrow)
    if not content.strip() and not calls and role in ("user", "assistant"):
        raise RowFault(f"empty {role} message")
    turn: Message = {"role": role, "content": content}
    if calls:
        turn["tool_calls"] = calls
    if role == "assistant" and not _is_trained(message):
        turn["weight"] = 0
    return turn | {key: value for key, value in message.items() if value is not None and key not in _REWRITTEN}


def _calls(value: Any, *, from_arrow: bool) -> list[dict[str, Any]]:
    """The calls with arguments as objects; each may be bare or under "function", with arguments as text or object."""
    value = _json(value, "a tool call") if isinstance(value, str) else value
    found = []
    for given in [value] if isinstance(value, Mapping) else value or []:
        try:
            call = read_call(given)
        except ValueError as fault:
            raise RowFault(str(fault)) from None
        if from_arrow:
            call["arguments"] = _without_nulls(call["arguments"])
        id = {"id": given["id"]} if isinstance(given.get("id"), str) and given["id"] else {}
        found.append({**id, "type": "function", "function": call})
    return found


def _is_trained(message: Mapping[str, Any]) -> bool:
    """Whether an assistant turn carries loss. Raises RowFault for a mark that is neither 0 nor 1."""
    marks = {key: message[key] for key in _MARKS if message.get(key) is not None}
    for key, value in marks.items():
        if not isinstance(value, bool | int | float) or value not in (0, 1):
            raise RowFault(f"{key} {value!r} of an assistant message: only 0 and 1 are known")
    if len({bool(value) for value in marks.values()}) > 1:
        raise RowFault(f"{' and '.join(marks)} of an assistant message contradict each other")
    return all(marks.values())


def _is_marked(message: Mapping[str, Any]) -> bool:
    return any(message.get(key) in (1, "true", "True") for key in _MARKS)  # 1 == True == 1.0


def _are_parts(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(part, Mapping) and "type" in part for part in values)


def _part(part: Any) -> str:
    """The text of one part of a content."""
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    text = part.get("text", part.get("content")) if kind in TEXT_PARTS else None
    if not isinstance(text, str):
        raise RowFault(f"a message with a part of type {kind!r}: only text is read")
    return text


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RowFault(f"{name} that is not JSON") from None


def _without_nulls(value: Any) -> Any:
    """The value without keys that are null: Arrow gives every row the keys of all."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value
