"""The answers table turned around: by example, with every system's answer beside the others."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from slmkit.report.formatting import shorten
from slmkit.report.read_run import Row

_LONGEST = 4_000  # characters of one text that go into a page; the file keeps the rest
_MOST_ITEMS = 10_000


@dataclass
class Item:
    """One gold example and the answers of the systems, in the systems' order; None where a system has none."""

    id: str
    input: str
    target: str
    slice: str
    answers: list[dict[str, Any] | None] = field(default_factory=list)


@dataclass(frozen=True)
class Answers:
    """All answers of a run, examples in their file's order."""

    systems: list[str]
    items: list[Item]
    left_out: int  # examples beyond what one page holds

    def sample(self, count: int = 5) -> list[Item]:
        """Examples spread evenly over the set: not chosen, so neither the best nor the worst."""
        count = min(count, len(self.items))
        return [self.items[(2 * i + 1) * len(self.items) // (2 * count)] for i in range(count)]

    def as_json(self) -> dict[str, Any]:
        """What the page's item browser reads."""
        return {"systems": self.systems, "items": [vars(item) for item in self.items]}


def answers_by_item(rows: Iterable[Row]) -> Answers:
    """Groups rows of answers.jsonl by example; systems stand in the order in which they first answer.

    An example is its id and its input: two gold sets of one run may both have an example "1".
    """
    systems: dict[str, int] = {}
    items: dict[tuple[str, str], Item] = {}
    left_out: set[tuple[str, str]] = set()
    for row in rows:
        example_id = str(row.get("example_id", ""))
        example = (example_id, str(row.get("input")))
        system = systems.setdefault(str(row.get("system", "")), len(systems))
        if example not in items:
            if len(items) == _MOST_ITEMS:
                left_out.add(example)
                continue
            items[example] = Item(
                example_id, _text(row.get("input")), _text(row.get("target")), _slice(row.get("slice"))
            )
        answers = items[example].answers
        answers.extend([None] * (system + 1 - len(answers)))
        answers[system] = _answer(row)
    for item in items.values():
        item.answers.extend([None] * (len(systems) - len(item.answers)))
    return Answers(list(systems), list(items.values()), len(left_out))


def _answer(row: Row) -> dict[str, Any]:
    """The answer with what a reader asks of it: text, score in [0, 1], and a word on anything unusual."""
    score = row.get("score", row.get("correct"))
    remarks = []
    if row.get("error"):
        remarks.append(str(row["error"]))
    if row.get("stopped") is False and not row.get("error"):
        remarks.append("cut at max_new_tokens")
    return {
        "text": _text(row.get("answer")),
        "score": float(score) if isinstance(score, int | float) and math.isfinite(score) else None,
        "remark": _text("; ".join(remarks)),
    }


def _text(value: Any) -> str:
    return shorten("" if value is None else str(value), _LONGEST, "answers.jsonl")


def _slice(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return "" if value is None else str(value)
