"""Refuses to continue if most rows of a file were lost: a score on what is left would say little about the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from slmkit.data.canonical_row import DroppedRow
from slmkit.errors import RefusedError

MOST_UNUSABLE = 0.5  # share of rows that cannot be read as questions and answers: from here on, the reading is wrong
MOST_LOST = 0.9  # share of rows lost for any reason, repeats and gold questions included
_ACCEPT = "allow_loss=true continues with the rest"


def refuse_if_most_are_unusable(num_rows: int, dropped: Sequence[DroppedRow]) -> None:
    """Raises RefusedError, with the number of rows for each reason, if half of the rows or more are unusable."""
    if dropped and len(dropped) >= MOST_UNUSABLE * num_rows:
        raise RefusedError(
            f"{len(dropped):,} of {num_rows:,} rows are unusable: {_counted(Counter(row.reason for row in dropped))}",
            where=f"{dropped[0].file}:{dropped[0].line}",
            fix=f"correct these rows, or choose other columns: text_column=NAME label_column=NAME; {_ACCEPT}",
        )


def refuse_if_most_are_lost(num_rows: int, reasons: Mapping[str, int], *, where: str) -> None:
    """Raises RefusedError, with the number of rows for each reason, if more than nine in ten rows were lost."""
    lost = sum(reasons.values())
    if lost > MOST_LOST * num_rows:
        raise RefusedError(
            f"{lost:,} of {num_rows:,} rows were dropped: {_counted(reasons)}",
            where=where,
            fix=f"provide rows that differ from each other and from the gold questions; {_ACCEPT}",
        )


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in Counter(reasons).most_common() if count)
