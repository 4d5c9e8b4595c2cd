"""The arms table as the report draws it: each score a point with its interval on one common scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from slmkit.report.read_run import Row


@dataclass(frozen=True)
class Arm:
    """One arm's row with the places of its score and interval, in percent of the chart's width."""

    row: Row
    at: float | None
    low: float | None
    high: float | None

    @property
    def is_chosen(self) -> bool:
        """Whether the verdict takes this arm."""
        return self.row.get("chosen") is True


@dataclass(frozen=True)
class ArmsChart:
    """Arms, the best first, the ticks of their common scale, and the best score's place."""

    arms: list[Arm]
    num_items: int | None  # that every arm answered
    reference: str  # the arm that differences are measured to
    ticks: list[tuple[float, float]]  # (value, place in percent)
    best: float | None


def arms_chart(rows: list[Row]) -> ArmsChart:
    """Places every score on a scale from 0 to 1, or on a round one around the values where they leave it."""
    values = [row[key] for row in rows for key in ("score", "low", "high") if _is_number(row.get(key))]
    bottom, top = 0.0, 1.0
    if values and not (min(values) >= 0 and max(values) <= 1):
        step = 10 ** math.floor(math.log10(max(abs(max(values)), abs(min(values)))))
        bottom = min(0.0, math.floor(min(values) / step) * step)
        top = max(0.0, math.ceil(max(values) / step) * step)

    def place(value: Any) -> float | None:
        return round(100 * (value - bottom) / (top - bottom), 2) if _is_number(value) else None

    arms = [Arm(row, place(row.get("score")), place(row.get("low")), place(row.get("high"))) for row in rows]
    arms.sort(key=lambda arm: -math.inf if arm.at is None else arm.at, reverse=True)
    counts = {row.get("n") for row in rows}
    return ArmsChart(
        arms,
        num_items=counts.pop() if len(counts) == 1 else None,
        reference=next((str(row["reference"]) for row in rows if row.get("reference")), ""),
        ticks=[(bottom + (top - bottom) * i / 4, 25.0 * i) for i in range(5)],
        best=arms[0].at if arms else None,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
