"""Rows longer than max_length cut where a cut does no harm: a chat between exchanges, a text between paragraphs.

Never inside an answer: one without its end teaches a model not to stop (PITFALLS row 7). What cannot be cut so stays
whole, for the caller to drop or refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from slmkit.data.convert import Canonical, Message
from slmkit.data.documents import chunk

Count = Callable[[dict[str, Any]], int]  # tokens of the values of a row


def split_row(row: Canonical, max_length: int, count: Count) -> list[Canonical]:
    """The row in pieces of at most max_length tokens, in order; [] where one exchange or word alone is too long.

    The pieces of a chat begin with its system turn and miss the turns before them. All pieces keep to one side of the
    split between training and validation.
    """
    pieces = _chats(row, max_length, count) if "messages" in row.values else _texts(row, max_length, count)
    if not pieces or any(count(piece.values) > max_length for piece in pieces):
        return []
    return [replace(piece, group=row.group or row.input) for piece in pieces]


def _chats(row: Canonical, max_length: int, count: Count) -> list[Canonical]:
    messages: list[Message] = row.values["messages"]
    system = [message for message in messages[:1] if message["role"] == "system"]
    parts: list[list[Message]] = []
    for exchange in _exchanges(messages[len(system) :]):
        longer = [*parts[-1], *exchange] if parts else exchange
        if parts and count({**row.values, "messages": [*system, *longer]}) <= max_length:
            parts[-1] = longer
        else:
            parts.append(exchange)
    return [_of(row, [*system, *part]) for part in parts if any(message["role"] == "assistant" for message in part)]


def _exchanges(messages: Sequence[Message]) -> list[list[Message]]:
    """Each user turn with all that follows it up to the next one; what stands before the first goes with that."""
    found: list[list[Message]] = []
    for message in messages:
        if not found or (message["role"] == "user" and any(m["role"] == "user" for m in found[-1])):
            found.append([])
        found[-1].append(message)
    return found


def _of(row: Canonical, messages: list[Message]) -> Canonical:
    asked, answered = (next(m for m in messages if m["role"] == role) for role in ("user", "assistant"))
    values = {**row.values, "messages": messages}
    return replace(row, values=values, input=asked["content"], target=answered["content"])


def _texts(row: Canonical, max_length: int, count: Count) -> list[Canonical]:
    """A text in pieces of as many words as fit, judged by its own tokens a word and fewer where that was too many."""
    text = row.values["text"]
    words = max(1, int(len(text.split()) * max_length / count(row.values)))
    while words:
        pieces = [replace(row, values={**row.values, "text": t}, input=t) for t in chunk(text, chunk_size=words)]
        if all(count(piece.values) <= max_length for piece in pieces):
            return pieces
        words = words * 3 // 4
    return []
