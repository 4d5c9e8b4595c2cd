"""Positions of the systems' scores and intervals on one common scale, for the chart in the report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slmkit.report.read_run import Arm


@dataclass(frozen=True)
class ChartRow:
    """The positions of an arm's score and interval, in percent of the chart's width."""

    arm: Arm
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class IntervalChart:
    """One row per arm, best first, on a common scale."""

    rows: list[ChartRow]
    ticks: list[tuple[float, float]]  # value, and its position in percent
    num_items: int | None  # examples that every arm answered; None if the counts differ
    reference: str  # the arm that differences are measured from


def interval_chart(arms: list[Arm]) -> IntervalChart:
    """Positions every score on a scale from 0 to 1, or on a rounded scale if a value lies outside it."""
    ends = [(arm.score if arm.low is None else arm.low, arm.score if arm.high is None else arm.high) for arm in arms]
    bottom, top = _scale([value for pair in ends for value in pair] + [arm.score for arm in arms])

    def percent(value: float) -> float:
        return round(100 * (value - bottom) / (top - bottom), 2)

    counts = {arm.n for arm in arms}
    return IntervalChart(
        rows=[
            ChartRow(arm, percent(arm.score), percent(low), percent(high))
            for arm, (low, high) in zip(arms, ends, strict=True)
        ],
        ticks=[(bottom + (top - bottom) * i / 4, 25.0 * i) for i in range(5)],
        num_items=counts.pop() if len(counts) == 1 else None,
        reference=next((arm.reference for arm in arms if arm.reference), ""),
    )


def _scale(values: list[float]) -> tuple[float, float]:
    if all(0 <= value <= 1 for value in values):
        return 0.0, 1.0
    step: float = 10 ** math.floor(math.log10(max(abs(value) for value in values)))
    return min(0.0, math.floor(min(values) / step) * step), max(0.0, math.ceil(max(values) / step) * step)
