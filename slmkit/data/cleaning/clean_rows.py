"""Cleans training rows: removes gold questions, applies the steps, and limits the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from slmkit.data.canonical_row import CanonicalRow, DroppedRow
from slmkit.data.cleaning.filters import Filters
from slmkit.data.cleaning.steps import CleanedRows, OnRows, Step, apply_steps, without
from slmkit.data.reading.find_files import OnNote
from slmkit.data.split import hash_share
from slmkit.text.identity import alike_keys, leak_key, questions_of
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
    on_note: OnNote | None = None,
) -> CleanedRows:
    """The rows without gold questions, after the steps, at most max_rows of them.

    If a step changed rows, they are compared with the gold set once more. on_rows receives the number of rows
    processed, 2 * len(rows) in total at most.
    """
    clean = drop_gold(rows, gold, leaks=leaks, on_rows=on_rows, on_numbers=on_note)
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
    on_numbers: OnNote | None = None,
) -> CleanedRows:
    """The rows that are not alike, nearly repeat or contain a gold question; with "exact", only alike rows go.

    Rows that differ from a gold question in their numbers alone stay: they ask something else. prepare reports them.
    """
    if leaks == "keep" or not gold:
        return CleanedRows(list(rows))
    answers = [row.target for row in rows], [example.target for example in gold]
    found = find_leaks(
        [row.question for row in rows], questions_of(gold), answers=answers, with_numbers=True, on_rows=on_rows
    )
    if on_numbers and (numbers := [leak for leak in found if leak.kind == "numbers"]):
        row, example = rows[numbers[0].row], gold[numbers[0].gold]
        differ = "1 row differs" if len(numbers) == 1 else f"{len(numbers):,} rows differ"
        on_numbers(
            f"{differ} from a gold question in the numbers alone and {'is' if len(numbers) == 1 else 'are'} kept. "
            f"Check whether {row.input[:60]!r} is {example.input[:60]!r} with changed numbers"
        )
    found = [leak for leak in found if leak.kind == "exact" or (leaks == "near" and leak.kind != "numbers")]
    reasons = {leak.row: GOLD_REASONS[leak.kind] for leak in found}
    texts = {leak.row: gold[leak.gold].input for leak in found}
    known = {leak_key(example): example.input for example in gold}
    has_tools = any(example.tools for example in gold)
    for i, row in enumerate(rows):  # a gold question may be asked before the last turn, or with other tools
        if i not in reasons and (has_tools or row.question.rest):
            asked = next((key for key in alike_keys(row.conversation) if key in known), None)
            if asked is not None:
                reasons[i], texts[i] = GOLD_REASONS["contains"], known[asked]
    return without(rows, reasons, repeats=texts)


def _limit(rows: Sequence[CanonicalRow], max_rows: int | None) -> CleanedRows:
    """At most max_rows rows, chosen by hash so that the top of the file is not favoured."""
    if max_rows is None or len(rows) <= max_rows:
        return CleanedRows(list(rows))
    by_hash = sorted(range(len(rows)), key=lambda i: hash_share(rows[i].id, salt="max_rows"))
    return without(rows, dict.fromkeys(by_hash[max_rows:], "above max_rows"))
