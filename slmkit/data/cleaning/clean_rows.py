"""Cleans training rows: removes gold questions, applies the steps, and limits the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
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
    "quoted": "quotes a gold question and its answer",
}
_SHOWN = 60  # characters of a text in a note
_EXACT = ("exact", "asked")
_DOUBTFUL = {  # kind -> what one row does, and what several do
    "numbers": (
        "differs from a gold question in the numbers alone",
        "differ from a gold question in the numbers alone",
    ),
    "word": (
        "differs from a gold question in a word and has another answer",
        "differ from a gold question in a word and have another answer",
    ),
    "near": ("differs from a gold question slightly", "differ from a gold question slightly"),
    "contains": ("contains a short gold question", "contain a short gold question"),
    "quoted": (
        "quotes a gold question in an answer or before the last turn",
        "quote a gold question in an answer or before the last turn",
    ),
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
        for note in doubtful_notes(found, rows, gold).values():
            on_note(note)
    found = [leak for leak in found if not leak.is_doubtful and (leaks == "near" or leak.kind in _EXACT)]
    reasons = {leak.row: GOLD_REASONS[leak.kind] for leak in found}
    return without(rows, reasons, repeats={leak.row: gold[leak.gold].input for leak in found})


def doubtful_notes(
    found: Sequence[Leak], rows: Sequence[CanonicalRow], gold: Sequence[Example], *, use: str = ""
) -> dict[int, str]:
    """First row of each kind of doubtful leak -> how many there are, and the two texts to compare.

    use: what the rows are used for, if their number is to be given: "training" -> "2 of 40 training rows differ …".
    """
    notes = {}
    for kind, (one, several) in _DOUBTFUL.items():
        if some := [leak for leak in found if leak.is_doubtful and leak.kind == kind]:
            first = some[0]
            does, kept = (one, "is kept") if len(some) == 1 else (several, "are kept")
            of = f"of {len(rows):,} {use} rows" if use else "row" if len(some) == 1 else "rows"
            text, asked = _shown(rows[first.row].input, gold[first.gold].input)
            check = "Check where" if kind == "quoted" else "Check whether"
            verb = "quotes" if kind == "quoted" else "is the same question as"
            notes[first.row] = f"{len(some):,} {of} {does} and {kept}. {check} {text!r} {verb} {asked!r}"
    return notes


def _shown(text: str, asked: str) -> tuple[str, str]:
    """60 characters of both texts, with their first difference among them."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, asked, strict=False)))
    start = shared - _SHOWN // 2 if _SHOWN - 10 < shared < len(text) else 0
    before = "…" if start else ""
    return before + text[start : start + _SHOWN], before + asked[start : start + _SHOWN]


def _limit(rows: Sequence[CanonicalRow], max_rows: int | None) -> CleanedRows:
    """At most max_rows rows, chosen by hash so that the top of the file is not favoured."""
    if max_rows is None or len(rows) <= max_rows:
        return CleanedRows(list(rows))
    by_hash = sorted(range(len(rows)), key=lambda i: hash_share(rows[i].id, salt="max_rows"))
    return without(rows, dict.fromkeys(by_hash[max_rows:], "above max_rows"))
