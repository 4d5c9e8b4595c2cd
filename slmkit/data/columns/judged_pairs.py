"""Two answers to one prompt and a verdict, or the votes of several people, as a preference pair.

    {"instruction": "…", "output_1": "yes", "output_2": "no", "label": 2}  ->  chosen "no", rejected "yes"

A verdict is the number or letter of the better answer (1 or 2, 0 or 1, a or b), the name of its column, or a tie. Of
votes, the most frequent counts. Ties have no chosen answer and are dropped as such.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import as_text, is_empty
from slmkit.data.reading.read import Row
from slmkit.errors import SlmkitError

_STEMS = r"(output|response|answer|completion|summary|reply|generation|conversation|candidate)"
_ANSWER = re.compile(_STEMS + r"[_ ]?(\d|[a-h])", re.IGNORECASE)
_ENDS = (("0", "1"), ("1", "2"), ("a", "b"))
_VERDICTS = ("label", "labels", "preference", "preferred", "winner", "better", "better_response_id", "better_response",
             "choice", "chosen", "verdict", "vote", "human_preference", "overall_preference")  # fmt: skip
_VOTE = re.compile(r"(annotator|annotation|vote|voter|rater|judge|label)[_ ]?\d+", re.IGNORECASE)
_TIES = ("tie", "tied", "draw", "equal", "same", "both", "neither", "none", "bothbad", "both_bad", "tie (bothbad)")
_PROMPTS = ("instruction", "prompt", "question", "query", "context", "post", "article", "document")

Side = Literal["first", "second", "tie"]


@dataclass(frozen=True)
class JudgedPairs:
    """The columns of two answers to the same prompt, and of the verdicts on them."""

    prompt: tuple[str, ...]
    first: str
    second: str
    verdicts: tuple[str, ...]
    meanings: Mapping[str, Side]

    def row(self, row: Row) -> Row:
        """The row with the columns chosen and rejected, and prompt. Raises: RowFault."""
        votes = [as_text(row.values[one]).lower() for one in self.verdicts if not is_empty(row.values.get(one))]
        if not votes:
            raise RowFault(f"empty {self.verdicts[0]}")
        unknown = [vote for vote in votes if vote not in self.meanings]
        if unknown:
            raise RowFault(f"unknown verdict {unknown[0]!r}")
        ranked = Counter(self.meanings[vote] for vote in votes).most_common(2)
        side = ranked[0][0]
        if side == "tie" or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
            raise RowFault("a tie: neither answer is preferred")
        chosen, rejected = (self.first, self.second) if side == "first" else (self.second, self.first)
        if missing := next((one for one in (chosen, rejected) if is_empty(row.values.get(one))), None):
            raise RowFault(f"empty {missing}")
        made = {"chosen": row.values.get(chosen), "rejected": row.values.get(rejected)}
        if self.prompt:
            parts = [as_text(row.values[one]) for one in self.prompt if not is_empty(row.values.get(one))]
            made["prompt"] = row.values[self.prompt[0]] if len(self.prompt) == 1 else "\n\n".join(parts)
        return row._replace(values={**row.values, **made})


def find_judged_pairs(rows: Sequence[Row], columns: Mapping[str, Any]) -> JudgedPairs | None:
    """The judged pairs in these rows, or None. Raises: SlmkitError if a verdict can mean either answer."""
    stems: dict[str, list[str]] = {}
    for column in columns:
        if match := _ANSWER.fullmatch(column):
            stems.setdefault(match[1].lower(), []).append(column)
    lower = {column.lower(): column for column in columns}
    votes = tuple(column for column in columns if _VOTE.fullmatch(column))
    verdicts = votes if len(votes) > 1 else tuple(lower[name] for name in _VERDICTS if name in lower)[:1]
    for pair in stems.values():
        if tuple(sorted(one[-1].lower() for one in pair)) in _ENDS and verdicts and not set(verdicts) & set(pair):
            prompt = tuple(lower[name] for name in _PROMPTS if name in lower)[:1]
            if prompt and prompt[0].lower() == "instruction" and "input" in lower:
                prompt = (*prompt, lower["input"])
            has_prompt = bool(prompt) or isinstance(columns[pair[0]], list)
            first, second = sorted(pair)
            meanings = _meanings(rows, verdicts, first, second) if has_prompt else None
            if meanings:
                return JudgedPairs(prompt, first, second, verdicts, meanings)
    return None


def _meanings(rows: Sequence[Row], verdicts: Sequence[str], first: str, second: str) -> dict[str, Side] | None:
    """What each verdict means; None if most of the values are not verdicts."""
    ends = first[-1].lower(), second[-1].lower()
    known: dict[str, Side] = {**dict.fromkeys(_TIES, "tie")}  # type: ignore[arg-type]
    for side, column, end in (("first", first, ends[0]), ("second", second, ends[1])):
        stem = column[:-1].rstrip("_ ").lower()
        for name in (column.lower(), end, f"{stem}{end}", f"{stem}_{end}", f"model_{end}", f"assistant_{end}", side):
            known[name] = side  # type: ignore[assignment]
    cells = [row.values.get(one) for row in rows for one in verdicts]
    values = {as_text(cell).lower() for cell in cells if not is_empty(cell)}
    if ends == ("1", "2"):
        known["0"] = "tie"
        if values == {"0", "1"}:
            raise SlmkitError(
                f"the verdicts in {verdicts[0]!r} are 0 and 1: 1 can be {first!r}, with 0 for a tie, or {second!r}",
                where=rows[0].where,
                fix=f"write the name of the better column in {verdicts[0]!r}: {first} or {second}",
            )
    return known if values and sum(value in known for value in values) > len(values) / 2 else None
