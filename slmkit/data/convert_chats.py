"""Converts conversations to canonical rows: messages, ShareGPT, Alpaca, prompt-completion, preference and KTO rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, RowFault, conversation_of, user_and_assistant
from slmkit.data.reading.read import Row
from slmkit.text.tool_calls import answer_text
from slmkit.types import Message

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
          "bot": "assistant", "system": "system", "tool": "tool", "observation": "tool", "function": "tool",
          "function_call": "assistant", "developer": "system"}  # fmt: skip
_TURN = re.compile(r"\n\n(Human|Assistant):")  # transcripts in Anthropic's preference data


def _prompt_completion(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    messages = [*_turns(row, columns["prompt"], "user"), *_turns(row, columns["completion"], "assistant")]
    return [_chat(row, messages)]


def _messages(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    return [_chat(row, _checked(row.values.get(columns["messages"])))]


def _sharegpt(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    turns = row.values.get(columns["conversations"])
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RowFault(f"{columns['conversations']!r} is not a list of turns")
    messages: list[Message] = []
    system = row.values.get("system")
    if isinstance(system, str) and system:
        messages.append({"role": "system", "content": system})
    for turn in turns:
        role = _ROLES.get(str(turn.get("from")))
        if role is None:
            raise RowFault(f"unknown speaker {turn.get('from')!r}")
        if turn["from"] == "function_call":
            messages.append({"role": role, "content": "", "tool_calls": [_tool_call(turn.get("value"))]})
        else:
            messages.append({"role": role, "content": turn.get("value")})
    return [_chat(row, _checked(messages))]


def _tool_call(value: Any) -> dict[str, Any]:
    try:
        call = json.loads(value)
        return {"type": "function", "function": {"name": call["name"], "arguments": call.get("arguments", {})}}
    except (TypeError, KeyError, json.JSONDecodeError):
        raise RowFault("function_call is not JSON with a name") from None


def _alpaca(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    instruction = text_in(row, columns["instruction"])
    several = row.values.get(columns["output"]) if columns["output"] == "instances" else None
    history = row.values.get("history") or []
    before = [message for user, answer in history for message in user_and_assistant(user, answer)]
    system = str(row.values.get("system") or "")
    found = []
    for instance in several if isinstance(several, list) else [row.values]:
        question = "\n\n".join(part for part in (instruction, str(instance.get("input") or "").strip()) if part)
        answer = str(instance.get("output") or "").strip()
        if not answer:
            raise RowFault("empty output")
        first = [{"role": "system", "content": system}] if system else []
        found.append(_chat(row, [*first, *before, *user_and_assistant(question, answer)]))
    if not found:
        raise RowFault("empty instances")
    return found


def _preference(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    chosen, rejected = (_turns(row, columns[name], "assistant") for name in ("chosen", "rejected"))
    if "prompt" in columns:
        prompt = _turns(row, columns["prompt"], "user")
    else:
        same = 0
        while same < min(len(chosen), len(rejected)) - 1 and chosen[same] == rejected[same]:
            same += 1
        prompt, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
    if not prompt:
        raise RowFault("chosen and rejected share no prompt")
    if chosen == rejected:
        raise RowFault("chosen equals rejected")
    values = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    return [CanonicalRow(values, _joined(prompt), _joined(chosen), row.file, row.line)]


def _kto(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    prompt, completion = (_turns(row, columns[n], r) for n, r in (("prompt", "user"), ("completion", "assistant")))
    label = row.values.get(columns["label"])
    if not isinstance(label, bool):
        raise RowFault(f"{columns['label']!r} is not true or false")
    values = {"prompt": prompt, "completion": completion, "label": label}
    return [CanonicalRow(values, _joined(prompt), _joined(completion), row.file, row.line)]


CHAT_CONVERTERS: dict[str, Callable[[Row, Mapping[str, str]], list[CanonicalRow]]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "preference": _preference,
    "kto": _kto,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
}


def _chat(row: Row, messages: list[Message]) -> CanonicalRow:
    """A conversation. Its target is the last assistant turn, its input the last user turn before that."""
    asked = conversation_of(messages)
    if len(asked) == len(messages):
        raise RowFault("no assistant turn")
    input = next((message["content"] for message in reversed(asked) if message["role"] == "user"), None)
    if input is None:
        raise RowFault("no user turn before the last answer")
    values: dict[str, Any] = {"messages": messages}
    if row.values.get("tools"):
        values["tools"] = row.values["tools"]
    return CanonicalRow(values, input, answer_text(messages[len(asked)]), row.file, row.line)


def _checked(messages: Any) -> list[Message]:
    """The messages, each with a role and content, without the null keys that Arrow adds."""
    if not isinstance(messages, list) or not messages:
        raise RowFault("no messages")
    checked = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise RowFault("message without a known role")
        content = message.get("content")
        if not isinstance(content, str) and not message.get("tool_calls"):
            raise RowFault(f"{message['role']} message without text")
        if not message.get("tool_calls") and not str(content).strip():
            raise RowFault(f"empty {message['role']} message")
        kept = {key: value for key, value in message.items() if value is not None}
        checked.append({**kept, "role": _ROLES[message["role"]], "content": content or ""})
    return checked


def _turns(row: Row, column: str, role: str) -> list[Message]:
    """A column as messages: a list of messages, a "Human: … Assistant: …" transcript, or one turn of the role."""
    value = row.values.get(column)
    if isinstance(value, list):
        return _checked(value)
    if not isinstance(value, str) or not value.strip():
        raise _missing_value(row, column)
    parts = _TURN.split(value)
    if len(parts) == 1:
        return [{"role": role, "content": value.strip()}]
    spoken = zip(parts[1::2], parts[2::2], strict=True)
    turns = [{"role": _ROLES[who.lower()], "content": text.strip()} for who, text in spoken]
    if not all(turn["content"] for turn in turns):
        raise RowFault(f"empty turn in {column}")
    return turns


def _joined(messages: list[Message]) -> str:
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def text_in(row: Row, column: str) -> str:
    """The text in a column, stripped. Raises RowFault if there is none."""
    value = row.values.get(column)
    if value is None or not str(value).strip():
        raise _missing_value(row, column)
    if isinstance(value, list | dict):
        raise RowFault(f"{column} is a {'list' if isinstance(value, list) else 'record'}, not text")
    return str(value).strip()


def _missing_value(row: Row, column: str) -> RowFault:
    return RowFault(f"empty {column}" if column in row.values else f"no {column}")
