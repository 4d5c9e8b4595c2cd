"""Splits rows longer than max_length where it does no harm: a chat between exchanges, a text between paragraphs.

Never inside an answer: an answer without its end teaches a model not to stop. A row that cannot be split this way is
left to the caller to drop or refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, conversation_of
from slmkit.data.documents import chunk
from slmkit.text.tool_calls import answer_text
from slmkit.text.words import count_words
from slmkit.types import Message

Count = Callable[[dict[str, Any]], int]  # the number of tokens of a row's values


def split_row(row: CanonicalRow, max_length: int, count: Count) -> list[CanonicalRow]:
    """The row in pieces of at most max_length tokens, in order; [] for a pair, or if an exchange or word is too long.

    Each piece of a chat begins with the system turn and lacks the earlier turns. All pieces stay on the same side of
    the split into training and validation.
    """
    if "prompt" in row.values:  # a pair: its answers belong to the whole prompt
        return []
    pieces = _chats(row, max_length, count) if "messages" in row.values else _texts(row, max_length, count)
    if not pieces or any(count(piece.values) > max_length for piece in pieces):
        return []
    return [replace(piece, group=row.group or row.passage or row.input) for piece in pieces]


def _chats(row: CanonicalRow, max_length: int, count: Count) -> list[CanonicalRow]:
    messages: list[Message] = row.values["messages"]
    system = [message for message in messages[:1] if message["role"] == "system"]
    parts: list[list[Message]] = []
    for exchange in _exchanges(messages[len(system) :]):
        longer = [*parts[-1], *exchange] if parts else exchange
        if parts and count({**row.values, "messages": [*system, *longer]}) <= max_length:
            parts[-1] = longer
        else:
            parts.append(exchange)
    return [_of(row, [*system, *part]) for part in parts if any(map(_has_loss, part))]


def _has_loss(message: Message) -> bool:
    return message["role"] == "assistant" and message.get("weight") != 0


def _exchanges(messages: Sequence[Message]) -> list[list[Message]]:
    """Each user turn with the turns up to the next user turn; turns before the first user turn are kept with it."""
    found: list[list[Message]] = []
    for message in messages:
        if not found or (message["role"] == "user" and any(m["role"] == "user" for m in found[-1])):
            found.append([])
        found[-1].append(message)
    return found


def _of(row: CanonicalRow, messages: list[Message]) -> CanonicalRow:
    asked = conversation_of(messages)
    input = next((message["content"] for message in reversed(asked) if message["role"] == "user"), row.input)
    values = {**row.values, "messages": messages}
    return replace(row, values=values, input=input, target=answer_text(messages[len(asked)]))


def _texts(row: CanonicalRow, max_length: int, count: Count) -> list[CanonicalRow]:
    """A text in the largest pieces that fit: starts from its tokens per word and reduces the words until all fit."""
    text = row.values["text"]
    words = max(1, int(count_words(text) * max_length / count(row.values)))
    while words:
        pieces = [replace(row, values={**row.values, "text": t}, input=t) for t in chunk(text, chunk_size=words)]
        if all(count(piece.values) <= max_length for piece in pieces):
            return pieces
        words = words * 3 // 4
    return []
