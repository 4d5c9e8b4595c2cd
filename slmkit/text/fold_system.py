"""The system message inside the user turn, for chat templates and servers that refuse a system role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def fold_system(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with each system message at the start of the user turn after it, an empty line between them.

    Example: system "be brief.", user "why?" -> user "be brief.\\n\\nwhy?". Without a user turn after it, the system
    message becomes one.
    """
    chat: list[dict[str, Any]] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "system":
            waiting.append(message["content"])
        elif message["role"] == "user" and waiting:
            chat.append({**message, "content": "\n\n".join([*waiting, message["content"]])})
            waiting = []
        else:
            chat.append(dict(message))
    return chat + [{"role": "user", "content": text} for text in waiting]
