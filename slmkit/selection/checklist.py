"""The candidates of a pick as tables: memory, speed, and which constraints each one meets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slmkit.selection.constraints import (
    Candidate,
    Constraints,
    answer_footprint,
    marks,
    tokens_per_second,
    train_footprint,
)
from slmkit.selection.evidence import Evidence
from slmkit.selection.footprint import Footprint
from slmkit.selection.model_card import Card


def checklist(
    candidates: Sequence[Candidate],
    asked: Constraints,
    passing: Sequence[Card],
    evidence: Mapping[str, Evidence],
) -> list[dict[str, Any]]:
    """One row per candidate: those that pass in order, the choice first; then the excluded ones, smallest first."""
    rank = {card.name: index for index, card in enumerate(passing)}
    rows = [_row(candidate, asked, rank, evidence) for candidate in candidates]
    return sorted(rows, key=lambda row: (rank.get(row["model"], len(rank)), row["parameters"] or 0))


def mark_rows(rows: Sequence[Mapping[str, Any]], candidates: Sequence[Candidate], asked: Constraints) -> list[Any]:
    """For each row of the checklist, whether each constraint is met, not only the first that fails."""
    cards = {candidate.card.name: candidate.card for candidate in candidates}
    return [
        {
            "model": row["model"],
            **{name: "✓" if met else "✗" for name, met in marks(cards[row["model"]], asked).items()},
        }
        for row in rows
    ]


def nearest(candidates: Sequence[Candidate], asked: Constraints) -> str:
    """A sentence on the model that fails the fewest constraints (the smallest of these), and which ones it fails."""
    broken = {c.card.name: [name for name, met in marks(c.card, asked).items() if not met] for c in candidates}
    found = min(candidates, key=lambda c: (len(broken[c.card.name]), c.card.num_parameters or float("inf")))
    failed = ", ".join(broken[found.card.name])
    return f"The closest is {found.card.name}, which fails {failed}: {found.reason}."


def _row(
    candidate: Candidate, asked: Constraints, rank: Mapping[str, int], evidence: Mapping[str, Evidence]
) -> dict[str, Any]:
    card = candidate.card
    upper_bound = tokens_per_second(card, asked)
    measured = evidence.get(card.name)
    return {
        "model": card.name,
        "state": "excluded" if candidate.failed else "passes" if rank[card.name] else "picked",
        "failed": candidate.failed,
        "reason": candidate.reason,
        "parameters": card.num_parameters,
        "answer_gb": _gb(answer_footprint(card, asked)),
        "train_gb": _gb(train_footprint(card, asked)),
        **({"tokens_per_second_at_most": upper_bound and round(upper_bound)} if asked.gpu else {}),
        "measured": "no" if measured is None else str(measured.best) if measured.best else "without a score",
    }


def _gb(need: Footprint | None) -> float | None:
    return float(f"{need.total / 1e9:.3g}") if need else None
