"""The body of a chat request, and what changes when a server refuses a part of it.

Servers with the OpenAI API differ in what they take: only the part that the server names is changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slmkit.systems._new_tokens import limit_text
from slmkit.text.fold_system import fold_system
from slmkit.text.tool_calls import called
from slmkit.types import Message

_REFUSES = re.compile(
    r"unsupported|not[ _]support|n't support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|not accept"
    r"|forbidden|deprecated|not enabled|not available|additional propert|extra |only the default|instead"
    r"|invalid (?:parameter|argument|field|key)|positive|greater than|must alternate"
    r"|only user.{0,20} roles? (?:are|is) supported",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"too (?:large|long|high|many)|exceed|at most|context length", re.IGNORECASE)
_SYSTEM = re.compile(r"system|developer instruction|roles must alternate|only user", re.IGNORECASE)
_ONLY_STREAMS = re.compile(
    r"(?:only|enable).{0,20}stream|stream.{0,20}(?:must|require|only)|non-streaming", re.IGNORECASE
)

_MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")
SYSTEM_IS_FOLDED = "refuses a system message, so it is put at the start of the first user turn"


@dataclass(frozen=True)
class ChatRequest:
    """What the server takes, judged by its refusals so far."""

    limit_key: str | None = "max_tokens"  # the older name, which nearly every server knows
    sends_temperature: bool = True
    sends_system: bool = True
    streams: bool = False

    def body(
        self, model_name: str, messages: Sequence[Message], *, max_new_tokens: int, tools: Sequence[Any] = ()
    ) -> dict[str, Any]:
        """The request for one answer, decoded greedily where the server lets it."""
        chat = as_api_messages(messages if self.sends_system else fold_system(messages))
        body: dict[str, Any] = {"model": model_name, "messages": chat}
        if tools:
            body["tools"] = [as_api_tool(tool) for tool in tools]
        if self.limit_key:
            body[self.limit_key] = max_new_tokens
        if self.sends_temperature:
            body["temperature"] = 0
        if self.streams:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def without(self, refusal: str) -> tuple[ChatRequest, str] | None:
        """The request without what the server's refusal names, and a note on it; None if it names nothing of it.

        Example: "Unsupported parameter: 'max_tokens'" -> the request with max_completion_tokens.
        """
        if self.limit_key and _names(refusal, self.limit_key) and not _TOO_LARGE.search(refusal):
            if self.limit_key == "max_tokens":
                return replace(self, limit_key="max_completion_tokens"), (
                    "the server refuses max_tokens, so max_completion_tokens is sent, which counts thinking too"
                )
            return replace(self, limit_key=None), (
                "the server refuses max_tokens and max_completion_tokens: its own limit applies, not max_new_tokens"
            )
        if self.sends_temperature and _names(refusal, "temperature"):
            return replace(self, sends_temperature=False), (
                "the server refuses temperature=0, so its own temperature applies: another run may answer otherwise"
            )
        if not self.streams and _ONLY_STREAMS.search(refusal):
            return replace(self, streams=True), "the server answers in a stream only, so its pieces are joined"
        if self.sends_system and refuses_system(refusal):
            return replace(self, sends_system=False), f"the server {SYSTEM_IS_FOLDED}"
        return None

    def decoding(self, max_new_tokens: int, *, is_auto: bool = False) -> str:
        """How the answers are decoded, for the provenance."""
        how = "greedy" if self.sends_temperature else "the server's temperature"
        limit = limit_text(max_new_tokens, "auto" if is_auto else max_new_tokens)
        return f"{how}, {limit if self.limit_key else 'up to its own limit'}"


def refuses_system(refusal: str) -> bool:
    """Whether a server or a chat template refuses the system message."""
    return _SYSTEM.search(refusal) is not None and _REFUSES.search(refusal) is not None


def as_api_messages(messages: Sequence[Message]) -> list[Message]:
    """The messages as the API wants them: every call with an id and its arguments as text, every result with the id.

    Data sets often have no ids: calls are numbered in order, and a result without an id belongs to the first open
    call. Other keys, such as `weight`, are for training and are not sent.
    """
    chat: list[Message] = []
    open_ids: list[str] = []
    number = 0
    for whole in messages:
        message = {key: value for key, value in whole.items() if key in _MESSAGE_KEYS}
        if calls := message.get("tool_calls"):
            named = []
            for call in calls:
                number += 1
                named.append(_as_api_call(call, f"call_{number}"))
            open_ids += [call["id"] for call in named]
            chat.append({**message, "content": message.get("content") or None, "tool_calls": named})
        elif message["role"] == "tool":
            id = message.get("tool_call_id") or (open_ids[0] if open_ids else "call_0")
            open_ids = [one for one in open_ids if one != id]
            chat.append({**message, "tool_call_id": id})
        else:
            chat.append(message)
    return chat


def _as_api_call(call: Mapping[str, Any], id: str) -> dict[str, Any]:
    name, arguments = called(call)
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": call.get("id") or id, "type": "function", "function": {"name": str(name or ""), "arguments": text}}


def as_api_tool(tool: Any) -> Any:
    """A tool as the API wants it: a bare schema with a name is put under "function"."""
    is_bare = isinstance(tool, Mapping) and "function" not in tool and "name" in tool
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} if is_bare else tool


def _names(refusal: str, key: str) -> bool:
    return re.search(rf"\b{key}\b", refusal) is not None and _REFUSES.search(refusal) is not None
