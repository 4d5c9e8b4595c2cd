"""The cleaning steps between reading and splitting. Each returns the rows it keeps, drops and changes.

A text step rewrites the texts of every row; a filtering step drops rows. Each dropped row has a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from slmkit.data.canonical_row import CanonicalRow, DroppedRow
from slmkit.data.cleaning.clean_html import clean_html, main_text
from slmkit.data.cleaning.filters import Filters, drop_reasons
from slmkit.data.cleaning.mask_pii import find_pii, mask_pii
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


@dataclass(frozen=True)
class ChangedRow:
    """A text that a step changed."""

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
            change = main_text if step == "clean_html" and filters.html_engine else TEXT_STEPS[step]
            after = _rewrite(done.rows, step, change, keep_targets=keep_targets)
        elif step == "duplicates":
            after = _drop_duplicates(done.rows)
        elif step == "near_duplicates":
            after = _drop_near_duplicates(done.rows, on_rows)
        else:
            after = without(done.rows, drop_reasons(step, done.rows, filters))
        done = CleanedRows(after.rows, [*done.dropped, *after.dropped], [*done.changed, *after.changed])
    return done


def would_change(rows: Sequence[CanonicalRow]) -> dict[str, float]:
    """The share of rows that each text step would change, whitespace aside, estimated from an evenly spread sample.

    Web addresses are not counted as personal data, because they seldom belong to a person.
    """
    sample = rows[:: max(1, len(rows) // _SAMPLE)][:_SAMPLE]
    counts = {
        "repair_encoding": sum(repair_encoding(row.input) != row.input for row in sample),
        "clean_html": sum(clean_html(row.input).split() != row.input.split() for row in sample),
        "mask_pii": sum(any(span.type != "DOMAIN_NAME" for span in find_pii(row.input)) for row in sample),
    }
    return {step: count / max(1, len(sample)) for step, count in counts.items()}


def unused_step_notes(rows: Sequence[CanonicalRow], steps: Sequence[Step]) -> list[str]:
    """What the text steps that are not in use would change, for the user."""
    contents = {"repair_encoding": "mojibake", "clean_html": "HTML", "mask_pii": "personal data"}
    return [
        f"{share:.1%} of the rows contain {contents[step]}; to clean them, add the `{step}` step"
        for step, share in would_change(rows).items()
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


def _drop_duplicates(rows: Sequence[CanonicalRow]) -> CleanedRows:
    """Keeps the first row of each question and answer; only outer white space is ignored."""
    first: dict[str, CanonicalRow] = {}
    repeats = [dropped_row(row, "duplicate") for row in rows if first.setdefault(row.id, row) is not row]
    return CleanedRows(list(first.values()), repeats)


def _drop_near_duplicates(rows: Sequence[CanonicalRow], on_rows: OnRows | None) -> CleanedRows:
    """Drops near duplicates of an earlier row with the same answer; a row with a different answer is kept."""
    has_answers = any(row.target for row in rows)
    repeats = near_duplicates([row.question for row in rows], same_marks=has_answers, on_rows=on_rows)
    texts = {i: rows[j].input for i, j in repeats.items() if exact(rows[i].target) == exact(rows[j].target)}
    return without(rows, dict.fromkeys(texts, "near duplicate"), repeats=texts)


def _rewrite(
    rows: Sequence[CanonicalRow], step: str, change: Callable[[str], str], *, keep_targets: bool
) -> CleanedRows:
    kept, emptied, changed = [], [], []
    for row in rows:
        input = change(row.input)
        target = row.target if keep_targets else change(row.target)
        if not input.strip() or (row.target and not target.strip()):
            emptied.append(dropped_row(row, f"empty after {step}"))
        elif (input, target) == (row.input, row.target):
            kept.append(row)
        else:
            values = _changed_values(row.values, change, keep_targets=keep_targets)
            kept.append(replace(row, values=values, input=input, target=target, passage=change(row.passage)))
            before, after = (row.input, input) if input != row.input else (row.target, target)
            changed.append(ChangedRow(step, str(row.file), row.line, before[:200], after[:200]))
    return CleanedRows(kept, emptied, changed)


def _changed_values(values: Any, change: Callable[[str], str], *, keep_targets: bool) -> Any:
    """The values with the text of each message changed; with keep_targets, not the assistant's."""
    if isinstance(values, list):
        return [_changed_values(value, change, keep_targets=keep_targets) for value in values]
    if not isinstance(values, dict):
        return values
    if "role" in values:
        content = values.get("content")
        is_kept = values["role"] == "assistant" and keep_targets
        return values if is_kept or not isinstance(content, str) else {**values, "content": change(content)}
    return {
        key: change(value) if key == "text" and isinstance(value, str) else
        _changed_values(value, change, keep_targets=keep_targets)
        for key, value in values.items()
    }  # fmt: skip
