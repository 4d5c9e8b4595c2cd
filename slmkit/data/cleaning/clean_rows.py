"""Cleans training rows: removes gold questions, applies the steps, and limits the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from slmkit.data.canonical_row import CanonicalRow, DroppedRow
from slmkit.data.cleaning.filters import Filters
from slmkit.data.cleaning.steps import CleanedRows, OnRows, Step, apply_steps, without
from slmkit.data.reading.find_files import OnNote
from slmkit.data.split import hash_share
from slmkit.text.leak_index import Leak
from slmkit.text.leakage import conversation_leaks
from slmkit.types import Example

Leaks = Literal["near", "exact", "keep"]
GOLD_REASONS = {
    "exact": "in the gold set",
    "near": "near duplicate of a gold question",
    "contains": "contains a gold question",
    "asked": "contains a gold question",
}
DOUBTFUL = {  # kind -> how the text differs from a gold question, and what the user should look for
    "numbers": ("in the numbers alone", "with changed numbers"),
    "near": ("slightly", "in another spelling, order or greeting"),
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
    on_note: OnNote | None = None,
) -> CleanedRows:
    """The rows without gold questions, after the steps, at most max_rows of them.

    If a step changed rows, they are compared with the gold set once more. on_rows receives the number of rows
    processed, 2 * len(rows) in total at most.
    """
    clean = drop_gold(rows, gold, leaks=leaks, on_rows=on_rows, on_note=on_note)
    done = apply_steps(clean.rows, steps, keep_targets=keep_targets, filters=filters, on_rows=on_rows)
    again = drop_gold(done.rows, gold, leaks=leaks) if done.changed else CleanedRows(done.rows)
    last = _limit(again.rows, max_rows)
    dropped: list[DroppedRow] = [*clean.dropped, *done.dropped, *again.dropped, *last.dropped]
    return CleanedRows(last.rows, dropped, done.changed)


def drop_gold(
    rows: Sequence[CanonicalRow],
    gold: Sequence[Example],
    *,
    leaks: Leaks = "near",
    on_rows: OnRows | None = None,
    on_note: OnNote | None = None,
) -> CleanedRows:
    """The rows that are not alike, nearly repeat or contain a gold question; with "exact", only alike rows go.

    Rows that may ask something else stay, and are reported: see slmkit.text.leakage.
    """
    if leaks == "keep" or not gold:
        return CleanedRows(list(rows))
    answers = [row.target for row in rows], [example.target for example in gold]
    found = conversation_leaks(rows, gold, answers=answers, with_doubtful=True, on_rows=on_rows)
    if on_note:
        for note in doubtful_notes(found, rows, gold):
            on_note(note)
    found = [leak for leak in found if not leak.is_doubtful and (leaks == "near" or leak.kind in ("exact", "asked"))]
    reasons = {leak.row: GOLD_REASONS[leak.kind] for leak in found}
    return without(rows, reasons, repeats={leak.row: gold[leak.gold].input for leak in found})


def doubtful_notes(found: Sequence[Leak], rows: Sequence[CanonicalRow], gold: Sequence[Example]) -> list[str]:
    """What is said of the rows that may ask a gold question or something else: how many, and the first two texts."""
    notes = []
    for kind, (how, check) in DOUBTFUL.items():
        if some := [leak for leak in found if leak.is_doubtful and leak.kind == kind]:
            row, example = rows[some[0].row], gold[some[0].gold]
            differ, kept = ("row differs", "is kept") if len(some) == 1 else ("rows differ", "are kept")
            notes.append(
                f"{len(some):,} {differ} from a gold question {how} and {kept}. "
                f"Check whether {row.input[:60]!r} is {example.input[:60]!r} {check}"
            )
    return notes


def _limit(rows: Sequence[CanonicalRow], max_rows: int | None) -> CleanedRows:
    """At most max_rows rows, chosen by hash so that the top of the file is not favoured."""
    if max_rows is None or len(rows) <= max_rows:
        return CleanedRows(list(rows))
    by_hash = sorted(range(len(rows)), key=lambda i: hash_share(rows[i].id, salt="max_rows"))
    return without(rows, dict.fromkeys(by_hash[max_rows:], "above max_rows"))
