"""The cleaning steps between reading and splitting. Each returns the rows it keeps, drops and changes.

A text step rewrites the texts of every row; a filtering step drops rows. Each dropped row has a reason.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Literal

from slmkit.data.canonical_row import CanonicalRow, DroppedRow, texts_of
from slmkit.data.cleaning.clean_html import clean_html, main_text
from slmkit.data.cleaning.filters import Filters, drop_reasons
from slmkit.data.cleaning.mask_pii import find_pii, mask_pii
from slmkit.data.cleaning.rewrite_texts import has_empty_text, rewrite_texts, texts_in
from slmkit.data.reading.repair_encoding import repair_encoding
from slmkit.text.identity import exact
from slmkit.text.near_duplicates import near_duplicates

Step = Literal[
    "repair_encoding", "clean_html", "mask_pii", "duplicates", "near_duplicates", "language", "length",
    "label_suspects", "balance",
]  # fmt: skip
TEXT_STEPS: dict[str, Callable[[str], str]] = {
    "repair_encoding": repair_encoding,
    "clean_html": clean_html,
    "mask_pii": mask_pii,
}
OnRows = Callable[[int], None]  # called with the number of rows processed
_SAMPLE = 2000  # rows from which the effect of an unused step is estimated
_SHOWN, _SHOWN_BEFORE = 200, 80  # characters of a changed text that are recorded, and of these before the change


@dataclass(frozen=True)
class ChangedRow:
    """A row that a step changed, with the first of its texts that did."""

    step: str
    file: str
    line: int
    before: str
    after: str


@dataclass(frozen=True)
class CleanedRows:
    """The rows that are left, and those that were dropped or changed."""

    rows: list[CanonicalRow]
    dropped: list[DroppedRow] = field(default_factory=list)
    changed: list[ChangedRow] = field(default_factory=list)


def apply_steps(
    rows: Sequence[CanonicalRow],
    steps: Sequence[Step],
    *,
    keep_targets: bool,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    on_rows: OnRows | None = None,
) -> CleanedRows:
    """Applies the steps in the given order. With keep_targets, text steps leave the answers unchanged: labels."""
    done = CleanedRows(list(rows))
    for step in steps:
        if step in TEXT_STEPS:
            after = _rewrite(done.rows, step, _change(step, filters), keep_targets=keep_targets)
        elif step == "duplicates":
            after = _drop_duplicates(done.rows)
        elif step == "near_duplicates":
            after = _drop_near_duplicates(done.rows, on_rows)
        else:
            after = without(done.rows, drop_reasons(step, done.rows, filters))
        done = CleanedRows(after.rows, [*done.dropped, *after.dropped], [*done.changed, *after.changed])
    return done


def text_change(steps: Sequence[Step], filters: Filters) -> Callable[[str], str]:
    """The text steps among these as one function of a text, for passages, which no row has to keep."""
    changes = [_change(step, filters) for step in steps if step in TEXT_STEPS]

    def changed(text: str) -> str:
        return functools.reduce(lambda before, change: change(before), changes, text)

    return changed


def would_change(rows: Sequence[CanonicalRow], *, keep_targets: bool) -> dict[str, float]:
    """The share of rows that each text step would change, whitespace aside, estimated from an evenly spread sample.

    Web addresses are not counted as personal data, because they seldom belong to a person.
    """
    sample = rows[:: max(1, len(rows) // _SAMPLE)][:_SAMPLE]
    labels = _labels(sample) if keep_targets else frozenset()
    counts = Counter[str]()
    for row in sample:
        texts = texts_in(row.values, labels=labels)
        counts["repair_encoding"] += any(repair_encoding(text) != text for text in texts)
        counts["clean_html"] += any(clean_html(text).split() != text.split() for text in texts)
        counts["mask_pii"] += any(span.type != "DOMAIN_NAME" for text in texts for span in find_pii(text))
    return {step: count / max(1, len(sample)) for step, count in counts.items()}


def unused_step_notes(rows: Sequence[CanonicalRow], steps: Sequence[Step], *, keep_targets: bool) -> list[str]:
    """What the text steps that are not in use would change, for the user."""
    contents = {"repair_encoding": "mojibake", "clean_html": "HTML", "mask_pii": "personal data"}
    return [
        f"{share:.1%} of the rows contain {contents[step]}; to clean them, add the `{step}` step"
        for step, share in would_change(rows, keep_targets=keep_targets).items()
        if share and step not in steps
    ]


def dropped_row(row: CanonicalRow, reason: str, *, repeats: str = "") -> DroppedRow:
    """The record of a dropped row; repeats: the text that it repeats."""
    return DroppedRow(reason, str(row.file), row.line, row.input[:200], repeats[:200])


def without(
    rows: Sequence[CanonicalRow], reasons: Mapping[int, str], *, repeats: Mapping[int, str] | None = None
) -> CleanedRows:
    """The rows without those that have a reason to be dropped.

    reasons: row index -> reason. repeats: row index -> the text that the row repeats.
    """
    kept = [row for i, row in enumerate(rows) if i not in reasons]
    texts = repeats or {}
    return CleanedRows(
        kept, [dropped_row(rows[i], reason, repeats=texts.get(i, "")) for i, reason in sorted(reasons.items())]
    )


def _change(step: Step, filters: Filters) -> Callable[[str], str]:
    return main_text if step == "clean_html" and filters.html_engine else TEXT_STEPS[step]


def _drop_duplicates(rows: Sequence[CanonicalRow]) -> CleanedRows:
    """Keeps the first row of each question and answer, and what is said of it; only outer white space is ignored."""
    first: dict[str, CanonicalRow] = {}
    repeats = [dropped_row(row, "duplicate") for row in rows if first.setdefault(row.id, row) is not row]
    return CleanedRows(list(first.values()), repeats)


def _drop_near_duplicates(rows: Sequence[CanonicalRow], on_rows: OnRows | None) -> CleanedRows:
    """Drops near duplicates of an earlier row with the same answer; a row with a different answer is kept."""
    has_answers = any(row.target for row in rows)
    repeats = near_duplicates([row.question for row in rows], same_marks=has_answers, on_rows=on_rows)
    texts = {i: rows[j].input for i, j in repeats.items() if _said(rows[i]) == _said(rows[j])}
    return without(rows, dict.fromkeys(texts, "near duplicate"), repeats=texts)


def _said(row: CanonicalRow) -> list[str]:
    """The answer of a row and what is said of it."""
    return [exact(text) for text in (row.target, *row.judged)]


def _rewrite(
    rows: Sequence[CanonicalRow], step: str, change: Callable[[str], str], *, keep_targets: bool
) -> CleanedRows:
    """Changes every text of each row; with keep_targets not the labels, wherever the assistant says them."""
    kept, emptied, changed = [], [], []
    labels = _labels(rows) if keep_targets else frozenset()
    for row in rows:
        texts: list[tuple[str, str]] = []  # before and after, of each text that changes

        def noted(text: str, texts: list[tuple[str, str]] = texts) -> str:
            after = change(text)
            if after != text:
                texts.append((text, after))
            return after

        values = rewrite_texts(row.values, noted, labels=labels)
        passage = noted(row.passage) if row.passage else ""
        aliases = row.aliases if keep_targets else tuple(map(noted, row.aliases))
        if not texts:
            kept.append(row)
        elif has_empty_text(values):
            emptied.append(dropped_row(row, f"empty after {step}"))
        elif "rejected" in values and values["chosen"] == values["rejected"]:
            emptied.append(dropped_row(row, f"chosen equals rejected after {step}"))
        else:
            input, target = texts_of(values)
            kept.append(replace(row, values=values, input=input, target=target, passage=passage, aliases=aliases))
            changed.append(ChangedRow(step, str(row.file), row.line, *_shown(*texts[0])))
    return CleanedRows(kept, emptied, changed)


def _shown(before: str, after: str) -> tuple[str, str]:
    """The two texts around their first difference."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    start = max(0, shared - _SHOWN_BEFORE)
    return before[start : start + _SHOWN], after[start : start + _SHOWN]


def _labels(rows: Sequence[CanonicalRow]) -> frozenset[str]:
    return frozenset(row.target for row in rows)
