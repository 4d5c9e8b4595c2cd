"""How long an answer may become: max_new_tokens as given, or enough for the longest answers of the gold set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Literal

from slmkit.types import PositiveInt, Task

NewTokens = PositiveInt | Literal["auto"]

FEWEST_AUTO = 64  # short targets say nothing about how a model that explains itself answers
_SLACK = 1.25  # a correct answer can be longer than the gold one, and other tokens than the model's write it
_FEWEST_ROOM = 16  # a prompt that leaves less is not answered
_BYTES_PER_TOKEN = 3  # of UTF-8: English has four and Chinese three


def new_tokens(asked: NewTokens, task: Task, count: Callable[[Sequence[str]], Sequence[int]]) -> int:
    """The most tokens of an answer. "auto": a quarter more than the longest gold answers have, and at least 64.

    count: the number of tokens of each text; `tokens_by_bytes` where the tokenizer is unknown.
    Example: longest gold answer of 170 tokens -> 213.
    """
    return asked if asked != "auto" else max(FEWEST_AUTO, ceil(_SLACK * longest_target(task, count)))


def longest_target(task: Task, count: Callable[[Sequence[str]], Sequence[int]]) -> int:
    """The number of tokens of the longest gold answer, end of turn included; 0 if there is none."""
    return 1 + max(count(task.longest_targets)) if task.longest_targets else 0


def tokens_by_bytes(texts: Sequence[str]) -> list[int]:
    """An estimate of the tokens of each text, for a model whose tokenizer is unavailable."""
    return [ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN) for text in texts]


def limits_of(sizes: Sequence[int], asked: NewTokens, *, limit: int, context: int) -> list[int]:
    """The most new tokens after each prompt of these sizes.

    With "auto", a prompt that leaves less room in the context than the limit gets the largest power of two that fits.
    """
    if asked != "auto":
        return [limit] * len(sizes)
    rooms = [min(limit, max(_FEWEST_ROOM, context - size)) for size in sizes]
    return [room if room == limit else 1 << (room.bit_length() - 1) for room in rooms]


def limit_text(limit: int, asked: NewTokens) -> str:
    """The limit for the provenance of answers."""
    return f"up to {limit:,} tokens" + (" (auto)" if asked == "auto" else "")


def limit_notes(limit: int, asked: NewTokens, *, is_estimate: bool = False) -> list[str]:
    """A sentence on a limit that follows from long gold answers."""
    if asked != "auto" or limit == FEWEST_AUTO:
        return []
    how = ", estimated from their bytes" if is_estimate else ""
    return [f"max_new_tokens=auto is {limit:,}: a quarter more than the longest gold answers need{how}"]
