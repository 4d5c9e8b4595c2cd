"""Generates rows from existing ones with a system: the requests, and the checks on each answer.

    paraphrase   the input of a row in other words, with the target of that row
    expand       a new row similar to a few rows of the data (all of the same label, if there are labels)
    questions    a question about a passage of a document, with an answer from the passage

Requests for the same row differ in their wording, so that greedy decoding still gives different answers. An answer is
kept only if it is complete, in the requested format and new and, for questions, if its target occurs in the passage.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.text.edit_distance import is_near_duplicate
from slmkit.text.identity import loose
from slmkit.text.words import count_words
from slmkit.types import Answer

Method = Literal["paraphrase", "expand", "questions"]
INSTRUCTIONS: dict[Method, str] = {
    "paraphrase": "Say the text in other words. Keep its meaning, names and numbers. Give only the new text.",
    "expand": "Write one new example like those given, about something else. Give only the example, in their form.",
    "questions": "Ask one question that the passage answers. Give two lines: Question: … and Answer: …",
}
STYLES = (
    "",
    "Be brief.",
    "Use plain, spoken words.",
    "Be formal and polite.",
    "Begin in another way.",
    "Be indirect.",
)
_NUM_SHOWN = 3  # examples in an "expand" prompt
_LEAST_SHARE = 1 / 3  # of the words of the seed: a shorter paraphrase has lost part of it
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PAIR = re.compile(r"\s*Question:\s*(?P<input>.+?)\s*\n\s*Answer:\s*(?P<target>.+?)\s*", re.S)


@dataclass(frozen=True)
class Request:
    """One prompt, and the row it is made from."""

    id: str
    method: Method
    prompt: str
    seed: CanonicalRow
    asks_pair: bool  # the answer is "Question: … Answer: …", otherwise only an input

    @property
    def prompt_sha256(self) -> str:
        return hashlib.sha256(f"{INSTRUCTIONS[self.method]}\n{self.prompt}".encode()).hexdigest()[:16]


def requests(rows: Sequence[CanonicalRow], method: Method, *, num_per_row: int, has_labels: bool) -> list[Request]:
    """num_per_row requests per row, each in a different style; at most len(STYLES)."""
    by_label: dict[str, list[CanonicalRow]] = {}
    for row in rows:
        by_label.setdefault(row.target if has_labels else "", []).append(row)
    found = []
    for same in by_label.values():
        for number, row in enumerate(same):
            shown = [same[(number + i) % len(same)] for i in range(min(_NUM_SHOWN, len(same)))]
            text = {
                "paraphrase": f"Text: {row.input}",
                "expand": _shown(shown, has_labels=has_labels),
                "questions": f"Passage: {row.input}",
            }[method]
            asks_pair = method == "questions" or (method == "expand" and not has_labels)
            for style in range(num_per_row):
                prompt = "\n".join(part for part in (STYLES[style], text) if part)
                found.append(Request(f"{row.id}-{style}", method, prompt, row, asks_pair))
    return found


def read_answer(request: Request, answer: Answer) -> CanonicalRow | str:
    """The new row, or the reason why the answer is not used."""
    if answer.error:
        return "no answer"
    if not answer.text.strip():
        return "empty answer"
    if not answer.stopped:
        return "answer truncated at max_new_tokens"
    seed = request.seed
    if request.asks_pair:
        pair = _PAIR.fullmatch(answer.text)
        if pair is None:
            return "not in the requested format"
        input, target = pair["input"], pair["target"]
        if request.method == "questions" and loose(target) not in loose(seed.input):
            return "answer not in the passage"
    else:
        input, target = re.sub(r"^\s*Text:\s*", "", answer.text).strip(), seed.target
        if "\n" in input and "\n" not in seed.input:
            return "not in the requested format"
    if is_near_duplicate(input, seed.input):
        return "near duplicate of its seed"
    if request.method == "paraphrase":
        if count_words(input) < _LEAST_SHARE * count_words(seed.input):
            return "much shorter than its seed"
        if not set(_NUMBER.findall(seed.input)) <= set(_NUMBER.findall(input)):
            return "a number of its seed is missing"
    passage = seed.input if request.method == "questions" else ""
    values = {"messages": user_and_assistant(input, target)}
    return replace(seed, values=values, input=input, target=target, passage=passage, aliases=(), slice={})


def _shown(rows: Sequence[CanonicalRow], *, has_labels: bool) -> str:
    if has_labels:
        return "\n".join(f"Text: {row.input}" for row in rows)
    return "\n\n".join(f"Question: {row.input}\nAnswer: {row.target}" for row in rows)
