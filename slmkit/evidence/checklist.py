"""The candidates of a pick as a table: a mark for each constraint, what each takes, and the first thing that fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slmkit.evidence.candidate import Evidence
from slmkit.models.card import Card
from slmkit.models.selection import (
    Candidate,
    Constraints,
    answer_footprint,
    marks,
    tokens_per_second,
    train_footprint,
)


def checklist(
    candidates: Sequence[Candidate],
    asked: Constraints,
    passing: Sequence[Card],
    evidence: Mapping[str, Evidence],
) -> list[dict[str, Any]]:
    """One line a candidate, those that pass first, the smallest first; passing is in order, the choice first."""
    rows = [_row(candidate, asked, passing, evidence) for candidate in candidates]
    return sorted(rows, key=lambda row: (row["state"] == "excluded", row["parameters"] or 0))


def nearest(candidates: Sequence[Candidate], asked: Constraints) -> str:
    """The model that fails the fewest constraints, the smallest of these, and which they are."""
    broken = {c.card.name: [name for name, met in marks(c.card, asked).items() if not met] for c in candidates}
    found = min(candidates, key=lambda c: (len(broken[c.card.name]), c.card.num_parameters or float("inf")))
    failed = ", ".join(broken[found.card.name])
    return f"{found.card.name} comes nearest and fails {failed}: {found.reason}."


def _row(
    candidate: Candidate, asked: Constraints, passing: Sequence[Card], evidence: Mapping[str, Evidence]
) -> dict[str, Any]:
    card = candidate.card
    answer, train = answer_footprint(card, asked), train_footprint(card, asked)
    most = tokens_per_second(card, asked)
    state = "excluded" if candidate.failed else "picked" if card is passing[0] else "passes"
    found = evidence.get(card.name)
    return {
        "model": card.name,
        "state": state,
        "failed": candidate.failed,
        "reason": candidate.reason,
        "parameters": card.num_parameters,
        "licence": card.licence,
        "context_length": card.context_length,
        "answer_gb": answer and round(answer.total / 1e9, 2),
        "train_gb": train and round(train.total / 1e9, 2),
        "tokens_per_second_at_most": most and round(most),
        "measured": "no" if found is None else str(found.best) if found.best else "without a score",
        **{f"{name}?": "✓" if met else "✗" for name, met in marks(card, asked).items()},
    }
