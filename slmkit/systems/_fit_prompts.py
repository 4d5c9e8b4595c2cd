"""Fits prompts into a model's context by leaving out what was added to the question: passages, or solved examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmkit.types import Answer, Message

Build = Callable[[int, int], list[Message]]  # index of a question, number of its parts -> its chat
Count = Callable[[Sequence[int], Sequence[list[Message]]], Sequence[int]]  # questions, their chats -> tokens

_TOO_LONG = re.compile(  # how OpenAI, vLLM, llama.cpp, TGI and Anthropic refuse a prompt that is too long
    r"context[ _](?:length|window|size)|exceeds? (?:the )?(?:available )?context|prompt is too long|input is too long"
    r"|max_new_tokens`? must be <=",
    re.IGNORECASE,
)


@dataclass
class Fitted:
    """What was left out of the prompts of a system so far, for its notes."""

    num_prompts: int = 0
    num_short: int = 0  # prompts that lack a part, or have one cut
    num_left_out: int = 0  # parts
    num_cut: int = 0  # parts of which only the beginning is in the prompt
    num_limited: int = 0  # answers that the context left less room than the limit

    def add(self, numbers: Sequence[int], kept: Sequence[int]) -> None:
        """Counts prompts: how many parts each had, and how many of them fitted."""
        self.num_prompts += len(kept)
        self.num_short += sum(few < number for few, number in zip(kept, numbers, strict=True))
        self.num_left_out += sum(numbers) - sum(kept)

    def notes(self, parts: str, *, context: int | None) -> list[str]:
        """Sentences on the parts ("solved examples") that did not fit, and on answers with less room.

        context None: only the server knows its length.
        """
        room = f"the context of {context:,} tokens" if context else "the server's context"
        found = []
        if self.num_short:
            cut = f"; the beginning of {self.num_cut:,} is shown" if self.num_cut else ""
            left_out = f"1 {parts[:-1]} was" if self.num_left_out == 1 else f"{self.num_left_out:,} {parts} were"
            were = "was" if self.num_short == 1 else "were"
            found.append(
                f"{self.num_short:,} of {self.num_prompts:,} prompts {were} too long for {room}: {left_out} left "
                f"out{cut}"
            )
        if self.num_limited:
            prompts = "1 prompt leaves" if self.num_limited == 1 else f"{self.num_limited:,} prompts leave"
            found.append(f"{prompts} less room in {room} than max_new_tokens")
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


def ask_with_fewer(number: int, ask: Callable[[int], Answer]) -> tuple[Answer, int]:
    """The answer with as many of a question's parts as the server's context takes, and their number.

    For a server whose tokenizer is unknown: one part is left out after each refusal for length. ask: the answer with
    some of the parts. If it is refused without any too, the parts are not counted as left out.
    """
    kept = number
    while _TOO_LONG.search((answer := ask(kept)).error) and kept:
        kept -= 1
    return answer, number if answer.error else kept


def longest_beginning(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of a text that fits, cut between words where it has spaces; "" if none does."""
    low, high = 0, len(text)  # the beginning of length `low` fits, if it is not 0; the whole text does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle)
    cut = text[:low]
    return cut.rpartition(" ")[0].rstrip() if " " in cut else cut
