"""New rows from old ones by asking a system: what is asked, and which answers can be used.

    paraphrase   the input of a row in other words, with the row's own target
    expand       a new row like a few rows of the data (of one label, where there are labels)
    questions    a question about a passage of a document, and its answer out of the passage

Every request has wording of its own, so that a system that decodes greedily still says different things. What comes
back is kept only where it is whole, in the form asked for, new, and for questions held by the passage.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from slmkit.data.convert import Canonical, user_and_assistant
from slmkit.text.edit_distance import alike
from slmkit.text.identity import normalise
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
_NUM_SHOWN = 3  # examples in a prompt of expand
_LEAST_SHARE = 1 / 3  # of the words of a text that is said in other words
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PAIR = re.compile(r"\s*Question:\s*(?P<input>.+?)\s*\n\s*Answer:\s*(?P<target>.+?)\s*", re.S)


@dataclass(frozen=True)
class Request:
    """One thing to ask, and the row it starts from."""

    id: str
    method: Method
    prompt: str
    seed: Canonical
    asks_pair: bool  # "Question: … Answer: …" is expected; else an input alone

    @property
    def prompt_sha256(self) -> str:
        return hashlib.sha256(f"{INSTRUCTIONS[self.method]}\n{self.prompt}".encode()).hexdigest()[:16]


def requests(rows: Sequence[Canonical], method: Method, *, num_per_row: int, has_labels: bool) -> list[Request]:
    """What to ask: num_per_row requests a row, each in a style of its own; at most len(STYLES) a row."""
    alike_rows: dict[str, list[Canonical]] = {}
    for row in rows:
        alike_rows.setdefault(row.target if has_labels else "", []).append(row)
    found = []
    for same in alike_rows.values():
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


def read_answer(request: Request, answer: Answer) -> Canonical | str:
    """The new row, or why there is none."""
    if answer.error:
        return "no answer"
    if not answer.text.strip():
        return "empty answer"
    if not answer.stopped:
        return "answer cut at max_new_tokens"
    seed = request.seed
    if request.asks_pair:
        pair = _PAIR.fullmatch(answer.text)
        if pair is None:
            return "not in the form asked for"
        input, target = pair["input"], pair["target"]
        if request.method == "questions" and normalise(target) not in normalise(seed.input):
            return "answer not in the passage"
    else:
        input, target = re.sub(r"^\s*Text:\s*", "", answer.text).strip(), seed.target
        if "\n" in input and "\n" not in seed.input:
            return "not in the form asked for"
    if alike(input, seed.input):
        return "too near its seed"
    if request.method == "paraphrase":
        if len(input.split()) < _LEAST_SHARE * len(seed.input.split()):
            return "far shorter than its seed"
        if not set(_NUMBER.findall(seed.input)) <= set(_NUMBER.findall(input)):
            return "a number of its seed is gone"
    passage = seed.input if request.method == "questions" else ""
    values = {"messages": user_and_assistant(input, target)}
    return replace(seed, values=values, input=input, target=target, passage=passage, aliases=(), slice={})


def _shown(rows: Sequence[Canonical], *, has_labels: bool) -> str:
    if has_labels:
        return "\n".join(f"Text: {row.input}" for row in rows)
    return "\n\n".join(f"Question: {row.input}\nAnswer: {row.target}" for row in rows)
