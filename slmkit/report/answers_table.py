"""answers.jsonl grouped by example, so that the answers of all systems can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from slmkit.report.formatting import shorten
from slmkit.report.read_run import Row

_MAX_CHARACTERS = 4_000  # of one text on the page; the file has the rest
_MAX_ITEMS = 10_000


@dataclass
class Item:
    """One gold example with one answer per system, in the order of `Answers.systems`; None if a system has none."""

    id: str
    input: str
    target: str
    slice: str
    answers: list[dict[str, Any] | None] = field(default_factory=list)


@dataclass(frozen=True)
class Answers:
    """All answers of a run, examples keep the order of the file."""

    systems: list[str]
    items: list[Item]
    num_omitted: int  # examples beyond _MAX_ITEMS

    def sample(self, count: int = 5) -> list[Item]:
        """Evenly spaced examples, so that the sample is not cherry-picked."""
        count = min(count, len(self.items))
        return [self.items[(2 * i + 1) * len(self.items) // (2 * count)] for i in range(count)]

    def as_json(self) -> dict[str, Any]:
        """The data that browser.js reads."""
        return {"systems": self.systems, "items": [vars(item) for item in self.items]}


def answers_by_item(rows: Iterable[Row]) -> Answers:
    """Groups rows of answers.jsonl by example; systems keep the order of their first answer.

    The group key is id and input: two gold sets in one run may both have an example "1".
    """
    systems: dict[str, int] = {}
    items: dict[tuple[str, str], Item] = {}
    omitted: set[tuple[str, str]] = set()
    for row in rows:
        example_id = str(row.get("example_id", ""))
        example = (example_id, str(row.get("input")))
        system = systems.setdefault(str(row.get("system", "")), len(systems))
        if example not in items:
            if len(items) == _MAX_ITEMS:
                omitted.add(example)
                continue
            items[example] = Item(
                example_id, _text(row.get("input")), _text(row.get("target")), _slice(row.get("slice"))
            )
        answers = items[example].answers
        answers.extend([None] * (system + 1 - len(answers)))
        answers[system] = _answer(row)
    for item in items.values():
        item.answers.extend([None] * (len(systems) - len(item.answers)))
    return Answers(list(systems), list(items.values()), len(omitted))


def _answer(row: Row) -> dict[str, Any]:
    """An answer's text, its score in [0, 1], and a remark on an error or a cut-off."""
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
    return shorten("" if value is None else str(value), _MAX_CHARACTERS, "answers.jsonl")


def _slice(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return "" if value is None else str(value)
