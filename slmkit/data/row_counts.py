"""Counts what became of the rows of a data set: read, dropped by reason, changed, and split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, DroppedRow
from slmkit.data.cleaning.clean_rows import GOLD_REASONS
from slmkit.data.cleaning.steps import CleanedRows
from slmkit.data.together import OF_GOLD_GROUP, OF_GOLD_PASSAGE

_DUPLICATES = ("duplicate", "near duplicate")
_LOST = (*GOLD_REASONS.values(), OF_GOLD_PASSAGE, OF_GOLD_GROUP, *_DUPLICATES)


def row_flow(
    num_rows_in: int, done: CleanedRows, train: Sequence[CanonicalRow], validation: Sequence[CanonicalRow]
) -> list[dict[str, Any]]:
    """A table from the rows read to the rows trained on, one line per reason."""
    added = len(train) + len(validation) + len(done.dropped) - num_rows_in
    reasons = Counter(row.reason for row in done.dropped).most_common()
    return [
        {"step": "read", "rows": num_rows_in},
        *({"step": f"dropped: {reason}", "rows": -count} for reason, count in reasons),
        *([{"step": "added by splitting", "rows": added}] if added else []),
        {"step": "train", "rows": len(train)},
        {"step": "validation", "rows": len(validation)},
    ]


def row_metrics(
    num_rows_in: int, done: CleanedRows, train: Sequence[CanonicalRow], validation: Sequence[CanonicalRow]
) -> dict[str, float]:
    """The same counts as metrics, with all leaks and all duplicates added up."""
    reasons = Counter(row.reason for row in done.dropped)
    return {
        "num_rows_in": num_rows_in,
        "num_train": len(train),
        "num_validation": len(validation),
        "num_dropped": len(done.dropped),
        "num_changed": len(done.changed),
        "num_in_gold": sum(reasons[reason] for reason in GOLD_REASONS.values()),
        "num_duplicates": sum(reasons[reason] for reason in _DUPLICATES),
    }


def counted_reasons(dropped: Sequence[DroppedRow]) -> str:
    """The reasons with their counts: "12 duplicate, 3 in the gold set"."""
    reasons = Counter(row.reason for row in dropped).most_common()
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons) or "none"


def lost_rows(unusable: Sequence[DroppedRow], cleaned: Sequence[DroppedRow]) -> dict[str, int]:
    """The number of rows that could not be used, are in a gold set or its groups, or are duplicates.

    Rows that a filter, a limit or an overflow removed are not counted: the user asked for that.
    """
    reasons = Counter(row.reason for row in cleaned if row.reason in _LOST)
    return dict(Counter(row.reason for row in unusable) + reasons)
