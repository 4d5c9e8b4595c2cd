"""Charts of a pick: memory of the models that pass, and measured score against memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.selection.constraints import USABLE, Constraints, answer_footprint, train_footprint
from slmkit.selection.evidence import Evidence
from slmkit.selection.model_card import Card
from slmkit.types import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BARS = 20


def memory_chart(passing: Sequence[Card], asked: Constraints) -> Figure:
    """The memory of the smallest models that pass, with a line at the usable memory; the choice is on top."""
    sizes = {card.name: _gigabytes(card, asked) for card in passing[:_MOST_BARS]}
    known = {name: size for name, size in sizes.items() if size is not None}
    figure, axes = charts.blank(height=0.9 + 0.22 * len(known))
    bars = axes.barh(list(known), list(known.values()), color=charts.PALETTE[0], height=0.6)
    axes.bar_label(bars, [f"{size:.2g}" for size in known.values()], padding=4, fontsize=9)
    usable = USABLE * (asked.memory_gb or 0)
    axes.axvline(usable, color=charts.PALETTE[1], linestyle="--", linewidth=1.5, label=f"usable: {usable:.1f} GB")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(_memory_axis(asked))
    figure.legend(loc="outside upper right", frameon=False, fontsize=9)
    return figure


def quality_chart(passing: Sequence[Card], asked: Constraints, evidence: Mapping[str, Evidence]) -> Figure:
    """The better dev score of each measured model, with its interval, against its memory."""
    points: dict[tuple[float, Score], list[str]] = {}  # models at the same point share a marker
    for card in passing:
        score, size = evidence[card.name].best if card.name in evidence else None, _gigabytes(card, asked)
        if score and size:
            points.setdefault((size, score), []).append(card.name)
    axis = _memory_axis(asked)
    rows = [
        {"system": ", ".join(names), "score": score.value, "low": score.low, "high": score.high, axis: size}
        for (size, score), names in points.items()
    ]
    return charts.score_against_cost(rows, cost=axis)


def _memory_axis(asked: Constraints) -> str:
    return "GB for inference" if asked.training == "none" else f"GB at the peak of {asked.training} training"


def _gigabytes(card: Card, asked: Constraints) -> float | None:
    need = train_footprint(card, asked) or answer_footprint(card, asked)
    return need.total / 1e9 if need else None
