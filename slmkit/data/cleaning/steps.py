"""The steps between reading and splitting: each takes rows and gives rows, what it dropped, and what it changed.

A text step changes what is said in every row; a dropping step leaves rows out. Nothing goes without a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from slmkit.data.canonical import Dropped
from slmkit.data.cleaning.clean_html import clean_html
from slmkit.data.cleaning.filters import Filters, reasons
from slmkit.data.cleaning.mask_pii import find_pii, mask_pii
from slmkit.data.convert import Canonical
from slmkit.data.repair_encoding import repair_encoding
from slmkit.data.split import hash_share
from slmkit.text.edit_distance import alike
from slmkit.text.leakage import find_leaks
from slmkit.text.near_duplicates import near_duplicates
from slmkit.types import Example

Step = Literal[
    "repair_encoding", "clean_html", "mask_pii", "duplicates", "near_duplicates", "language", "length",
    "label_suspects", "balance",
]  # fmt: skip
Leaks = Literal["near", "exact", "keep"]
TEXT_STEPS: dict[str, Callable[[str], str]] = {
    "repair_encoding": repair_encoding,
    "clean_html": clean_html,
    "mask_pii": mask_pii,
}
OnRows = Callable[[int], None]  # hears of rows done
_SAMPLE = 2000  # rows looked at for what a step would change


@dataclass(frozen=True)
class Changed:
    """A text that a step changed."""

    step: str
    file: str
    line: int
    before: str
    after: str


@dataclass(frozen=True)
class Stepped:
    """What steps made of the rows."""

    rows: list[Canonical]
    dropped: list[Dropped] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)


def apply_steps(
    rows: Sequence[Canonical],
    steps: Sequence[Step],
    *,
    keep_targets: bool,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    on_rows: OnRows | None = None,
) -> Stepped:
    """The rows after each step in the order given; keep_targets leaves answers as they are: labels."""
    done = Stepped(list(rows))
    for step in steps:
        if step in TEXT_STEPS:
            after = _rewrite(done.rows, step, keep_targets=keep_targets)
        elif step == "duplicates":
            after = _drop_duplicates(done.rows)
        elif step == "near_duplicates":
            after = _drop_near_duplicates(done.rows, on_rows)
        else:
            after = _without(done.rows, reasons(step, done.rows, filters))
        done = Stepped(after.rows, [*done.dropped, *after.dropped], [*done.changed, *after.changed])
    return done


def would_change(rows: Sequence[Canonical]) -> dict[str, float]:
    """For each text step the share of rows it would change beyond spaces, judged by rows spread over the whole.

    Web addresses, which are seldom anyone's, are not counted as personal data.
    """
    sample = rows[:: max(1, len(rows) // _SAMPLE)][:_SAMPLE]
    counts = {
        "repair_encoding": sum(repair_encoding(row.input) != row.input for row in sample),
        "clean_html": sum(clean_html(row.input).split() != row.input.split() for row in sample),
        "mask_pii": sum(any(span.type != "DOMAIN_NAME" for span in find_pii(row.input)) for row in sample),
    }
    return {step: count / max(1, len(sample)) for step, count in counts.items()}


def drop_gold(
    rows: Sequence[Canonical], gold: Sequence[Example], *, leaks: Leaks = "near", on_rows: OnRows | None = None
) -> Stepped:
    """Without the rows that stand in gold, exactly, nearly, or with a gold text inside."""
    if leaks == "keep" or not gold:
        return Stepped(list(rows))
    reasons = {"exact": "in gold", "near": "nearly in gold", "contains": "holds a gold text"}
    texts, held = [row.input for row in rows], [example.input for example in gold]
    answers = [row.target for row in rows], [example.target for example in gold]
    found = find_leaks(texts, held, answers=answers, on_rows=on_rows)
    gone = {leak.row: reasons[leak.kind] for leak in found if leaks == "near" or leak.kind == "exact"}
    return _without(rows, gone)


def drop_surplus(rows: Sequence[Canonical], max_rows: int | None) -> Stepped:
    """At most max_rows rows, a choice by hash that does not favour the top of the file."""
    if max_rows is None or len(rows) <= max_rows:
        return Stepped(list(rows))
    by_hash = sorted(range(len(rows)), key=lambda i: hash_share(rows[i].id, salt="max_rows"))
    return _without(rows, dict.fromkeys(by_hash[max_rows:], "above max_rows"))


def dropped(row: Canonical, reason: str) -> Dropped:
    return Dropped(reason, str(row.file), row.line, row.input[:200])


def _without(rows: Sequence[Canonical], gone: Mapping[int, str]) -> Stepped:
    kept = [row for i, row in enumerate(rows) if i not in gone]
    return Stepped(kept, [dropped(rows[i], reason) for i, reason in sorted(gone.items())])


def _drop_duplicates(rows: Sequence[Canonical]) -> Stepped:
    """The first row of each text and answer; case, punctuation and spaces aside."""
    first: dict[str, Canonical] = {}
    for row in rows:
        first.setdefault(row.id, row)
    return Stepped(list(first.values()), [dropped(row, "duplicate") for row in rows if first[row.id] is not row])


def _drop_near_duplicates(rows: Sequence[Canonical], on_rows: OnRows | None) -> Stepped:
    """Without rows that nearly repeat an earlier one and have its answer; another answer is not a repeat."""
    repeats = near_duplicates([row.input for row in rows], on_rows=on_rows)
    gone = {i for i, j in repeats.items() if alike(rows[i].target, rows[j].target)}
    return _without(rows, dict.fromkeys(gone, "near duplicate"))


def _rewrite(rows: Sequence[Canonical], step: str, *, keep_targets: bool) -> Stepped:
    change = TEXT_STEPS[step]
    kept, left, changed = [], [], []
    for row in rows:
        input = change(row.input)
        target = row.target if keep_targets else change(row.target)
        if not input.strip() or (row.target and not target.strip()):
            left.append(dropped(row, f"empty after {step}"))
        elif (input, target) == (row.input, row.target):
            kept.append(row)
        else:
            values = _changed_values(row.values, change, keep_targets=keep_targets)
            kept.append(replace(row, values=values, input=input, target=target, passage=change(row.passage)))
            before, after = (row.input, input) if input != row.input else (row.target, target)
            changed.append(Changed(step, str(row.file), row.line, before[:200], after[:200]))
    return Stepped(kept, left, changed)


def _changed_values(values: Any, change: Callable[[str], str], *, keep_targets: bool) -> Any:
    """The values with the text of each message changed; an assistant's only without keep_targets."""
    if isinstance(values, list):
        return [_changed_values(value, change, keep_targets=keep_targets) for value in values]
    if not isinstance(values, dict):
        return values
    if "role" in values:
        content = values.get("content")
        fixed = values["role"] == "assistant" and keep_targets
        return values if fixed or not isinstance(content, str) else {**values, "content": change(content)}
    return {
        key: change(value) if key == "text" and isinstance(value, str) else
        _changed_values(value, change, keep_targets=keep_targets)
        for key, value in values.items()
    }  # fmt: skip
