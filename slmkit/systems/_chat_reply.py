"""Reads a reply of the OpenAI chat API, in the forms that servers give it: whole or streamed, as text or as parts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slmkit.data.chat_messages import TEXT_PARTS
from slmkit.systems._post_json import RequestError
from slmkit.text.tool_calls import calls_text

_EVENT = re.compile(rb"\s*(?:data|event|id):")
_THINKING_PARTS = ("thinking", "reasoning", "redacted_thinking")
# What a reply may hold beside its answer; a note counts each.
REFUSED = "hold a refusal of the model and no other text: the refusal is the answer"
FILTERED = "are cut short by the server's content filter"
TEXT_BESIDE_CALLS = "hold text beside a tool call: the call is the answer"


@dataclass(frozen=True)
class Reply:
    """The answer of a reply; text is None if it has none."""

    text: str | None
    thinking: str
    finish_reason: str
    remarks: tuple[str, ...] = ()


def read_body(content: bytes) -> dict[str, Any]:
    """The body of a reply, with a message in its first choice.

    Raises: ValueError if it is not JSON or reports an error; RequestError if it has no message, which another try
    would not change.
    """
    try:
        body = _joined_events(content) if _EVENT.match(content) else json.loads(content)
    except (AttributeError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{content[:500].decode(errors='replace')} ({error})") from None
    try:
        has_message = isinstance(body["choices"][0]["message"], dict)
    except (KeyError, IndexError, TypeError):
        has_message = False
    if isinstance(body, dict) and body.get("error"):
        raise ValueError(json.dumps(body, ensure_ascii=False)[:500])
    if not has_message:
        raise RequestError(f"the reply has no message: {json.dumps(body, ensure_ascii=False)[:500]}")
    checked: dict[str, Any] = body
    return checked


def read_reply(body: Mapping[str, Any]) -> Reply:
    """The answer, the thinking and what else the first choice of a body says.

    The answer is the text; or the calls, if the model calls tools; or the refusal, if there is nothing else.
    """
    choice = body["choices"][0]
    message, reason = choice["message"], str(choice.get("finish_reason") or "").lower()
    text, thoughts, remarks = _parts(message.get("content"))
    for key in ("reasoning_content", "reasoning"):  # the same under two names, by the server's version
        if isinstance(message.get(key), str) and message[key].strip() not in ("", *thoughts):
            thoughts.append(message[key].strip())
    calls = _calls(message)
    if calls:
        if text and text.strip():
            remarks.append(TEXT_BESIDE_CALLS)
        text = calls_text(calls)
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal and not (text and text.strip()):
        text = refusal
        remarks.append(REFUSED)
    if reason == "content_filter":
        remarks.append(FILTERED)
    return Reply(text, "\n\n".join(thoughts), reason, tuple(remarks))


def _parts(content: Any) -> tuple[str | None, list[str], list[str]]:
    """Text, thinking and remarks of a content: a string, or a list of parts; the text is None if there is none."""
    if content is None or isinstance(content, str):
        return content, [], []
    parts = content if isinstance(content, list) else [content]
    texts: list[str] = []
    thoughts: list[str] = []
    remarks: list[str] = []
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
        if kind in _THINKING_PARTS:
            thoughts.append(_text_of(part).strip())
        elif kind in TEXT_PARTS or kind == "refusal":
            texts.append(_text_of(part))
            if kind == "refusal":
                remarks.append(REFUSED)
        else:
            remarks.append(f"hold a part of type {kind!r}, which is left out")
    return ("".join(texts) if texts else None), [text for text in thoughts if text], remarks


def _text_of(part: Any) -> str:
    """The text in a part, at whatever depth: {"thinking": [{"type": "text", "text": "hm"}]} -> "hm"."""
    if isinstance(part, str):
        return part
    if isinstance(part, Sequence):
        return "".join(map(_text_of, part))
    if isinstance(part, Mapping):
        return next((_text_of(part[key]) for key in _TEXT_KEYS if part.get(key)), "")
    return ""


_TEXT_KEYS = ("text", "thinking", "reasoning", "summary", "refusal", "content")


def _calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    calls = message.get("tool_calls") or message.get("function_call")
    return [call for call in (calls if isinstance(calls, list) else [calls]) if isinstance(call, Mapping)]


def _joined_events(content: bytes) -> dict[str, Any]:
    """The one reply that a server has sent in pieces, as `data: {…}` lines."""
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    body: dict[str, Any] = {"choices": [{"message": message, "finish_reason": None}]}
    for line in content.decode("utf-8").splitlines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if not data or data == "[DONE]":
            continue
        event = json.loads(data)
        body |= {key: event[key] for key in ("usage", "error") if event.get(key)}
        for choice in (event.get("choices") or [])[:1]:
            body["choices"][0]["finish_reason"] = choice.get("finish_reason") or body["choices"][0]["finish_reason"]
            delta = choice.get("delta") or choice.get("message") or {}
            for key in ("content", "reasoning_content", "reasoning", "refusal"):
                if isinstance(delta.get(key), str):
                    message[key] = message.get(key, "") + delta[key]
            for call in delta.get("tool_calls") or []:
                _add_call(calls, call)
    if calls:
        message["tool_calls"] = list(calls.values())
    return body


def _add_call(calls: dict[int, dict[str, Any]], piece: Mapping[str, Any]) -> None:
    """Adds a piece of a call: its name comes first, its arguments in pieces."""
    whole = calls.setdefault(piece.get("index", len(calls)), {"function": {"name": "", "arguments": ""}})["function"]
    for key, value in (piece.get("function") or {}).items():
        if key in whole and isinstance(value, str):
            whole[key] += value
