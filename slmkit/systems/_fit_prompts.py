"""Fits prompts into a model's context by leaving out what was added to the question: passages, or solved examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmkit.types import Message

Build = Callable[[int, int], list[Message]]  # index of a question, number of its parts -> its chat
Count = Callable[[Sequence[int], Sequence[list[Message]]], Sequence[int]]  # questions, their chats -> tokens


@dataclass
class Fitted:
    """What was left out of the prompts of a system so far, for its notes."""

    num_prompts: int = 0
    num_short: int = 0  # prompts that lack a part, or have one cut
    num_left_out: int = 0  # parts
    num_cut: int = 0  # parts of which only the beginning is in the prompt
    num_limited: int = 0  # answers that the context left less room than the limit

    def notes(self, parts: str, *, context: int) -> list[str]:
        """Sentences on the parts ("solved examples") that did not fit, and on answers with less room."""
        found = []
        if self.num_short:
            cut = f"; the beginning of {self.num_cut:,} is shown" if self.num_cut else ""
            left_out = f"1 {parts[:-1]} was" if self.num_left_out == 1 else f"{self.num_left_out:,} {parts} were"
            were = "was" if self.num_short == 1 else "were"
            found.append(
                f"{self.num_short:,} of {self.num_prompts:,} prompts {were} too long for the context of {context:,} "
                f"tokens: {left_out} left out{cut}"
            )
        if self.num_limited:
            prompts = "1 prompt leaves" if self.num_limited == 1 else f"{self.num_limited:,} prompts leave"
            found.append(f"{prompts} less room in the context of {context:,} tokens than max_new_tokens")
        return found


def fit_parts(
    numbers: Sequence[int], build: Build, count: Count, *, room: int
) -> tuple[list[list[Message]], list[int]]:
    """The chat of each question with as many of its parts as fit into `room` tokens, and the number of these parts.

    numbers: how many parts each question has. A chat that does not fit without any is returned as it is.
    """
    kept = list(numbers)
    chats = [build(index, number) for index, number in enumerate(kept)]
    waiting = [index for index, number in enumerate(kept) if number]
    while waiting:
        sizes = count(waiting, [chats[index] for index in waiting])
        waiting = [index for index, size in zip(waiting, sizes, strict=True) if size > room]
        for index in waiting:
            kept[index] -= 1
            chats[index] = build(index, kept[index])
        waiting = [index for index in waiting if kept[index]]
    return chats, kept


def longest_beginning(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of a text that fits, cut between words where it has spaces; "" if none does."""
    low, high = 0, len(text)  # the beginning of length `low` fits, if it is not 0; the whole text does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle)
    cut = text[:low]
    return cut.rpartition(" ")[0].rstrip() if " " in cut else cut
