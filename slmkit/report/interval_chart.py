"""The arms as the report draws them: each score a point with its interval on one common scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slmkit.report.read_run import Arm


@dataclass(frozen=True)
class Place:
    """Where an arm's score and interval stand, in percent of the chart's width."""

    arm: Arm
    at: float
    low: float
    high: float


@dataclass(frozen=True)
class ArmsChart:
    """The arms on their common scale, the best first."""

    places: list[Place]
    ticks: list[tuple[float, float]]  # value, and its place in percent
    num_items: int | None  # that every arm answered; None where they differ
    reference: str  # the arm that differences are measured to


def arms_chart(arms: list[Arm]) -> ArmsChart:
    """Places every score on a scale from 0 to 1, or on a round one around the values where they leave it."""
    ends = [(arm.score if arm.low is None else arm.low, arm.score if arm.high is None else arm.high) for arm in arms]
    bottom, top = _scale([value for pair in ends for value in pair] + [arm.score for arm in arms])

    def place(value: float) -> float:
        return round(100 * (value - bottom) / (top - bottom), 2)

    counts = {arm.n for arm in arms}
    return ArmsChart(
        places=[
            Place(arm, place(arm.score), place(low), place(high)) for arm, (low, high) in zip(arms, ends, strict=True)
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
