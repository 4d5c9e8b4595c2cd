"""Cleans training rows: removes gold questions, applies the steps, and limits the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from slmkit.data.canonical_row import CanonicalRow, DroppedRow
from slmkit.data.cleaning.filters import Filters
from slmkit.data.cleaning.steps import CleanedRows, OnRows, Step, apply_steps, without
from slmkit.data.split import hash_share
from slmkit.text.leakage import find_leaks
from slmkit.types import Example

Leaks = Literal["near", "exact", "keep"]
GOLD_REASONS = {
    "exact": "in the gold set",
    "near": "near duplicate of a gold question",
    "contains": "contains a gold question",
}


def clean_rows(
    rows: Sequence[CanonicalRow],
    *,
    steps: Sequence[Step],
    keep_targets: bool,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    gold: Sequence[Example] = (),
    leaks: Leaks = "near",
    max_rows: int | None = None,
    on_rows: OnRows | None = None,
) -> CleanedRows:
    """The rows without gold questions, after the steps, at most max_rows of them.

    If a step changed rows, they are compared with the gold set once more. on_rows receives the number of rows
    processed, 2 * len(rows) in total at most.
    """
    clean = drop_gold(rows, gold, leaks=leaks, on_rows=on_rows)
    done = apply_steps(clean.rows, steps, keep_targets=keep_targets, filters=filters, on_rows=on_rows)
    again = drop_gold(done.rows, gold, leaks=leaks) if done.changed else CleanedRows(done.rows)
    last = _limit(again.rows, max_rows)
    dropped: list[DroppedRow] = [*clean.dropped, *done.dropped, *again.dropped, *last.dropped]
    return CleanedRows(last.rows, dropped, done.changed)


def drop_gold(
    rows: Sequence[CanonicalRow], gold: Sequence[Example], *, leaks: Leaks = "near", on_rows: OnRows | None = None
) -> CleanedRows:
    """The rows that neither equal, nearly repeat nor contain a gold question."""
    if leaks == "keep" or not gold:
        return CleanedRows(list(rows))
    answers = [row.target for row in rows], [example.target for example in gold]
    found = find_leaks(
        [row.input for row in rows], [example.input for example in gold], answers=answers, on_rows=on_rows
    )
    reasons = {leak.row: GOLD_REASONS[leak.kind] for leak in found if leaks == "near" or leak.kind == "exact"}
    return without(rows, reasons)


def _limit(rows: Sequence[CanonicalRow], max_rows: int | None) -> CleanedRows:
    """At most max_rows rows, chosen by hash so that the top of the file is not favoured."""
    if max_rows is None or len(rows) <= max_rows:
        return CleanedRows(list(rows))
    by_hash = sorted(range(len(rows)), key=lambda i: hash_share(rows[i].id, salt="max_rows"))
    return without(rows, dict.fromkeys(by_hash[max_rows:], "above max_rows"))
