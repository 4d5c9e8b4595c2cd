"""Whether a system knows when it is right: its confidence against its being right."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.errors import SlmkitError
from slmkit.metrics.match import exact_match
from slmkit.types import Answer, Example, PositiveInt


def ece(examples: Sequence[Example], answers: Sequence[Answer], *, num_bins: PositiveInt = 10) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy over bins of like confidence.

    Two answers, both at 0.9, one right: |0.5 - 0.9| = 0.4. 0 is perfect. confidence is the probability the system gave
    its answer; an answer without one (free text, an endpoint) cannot be judged.
    Source: Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602; Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """
    rows = [
        (answer.confidence, exact_match(example, answer))
        for example, answer in zip(examples, answers, strict=True)
        if answer.confidence is not None
    ]
    if not rows:
        raise SlmkitError(
            "ece needs the confidence of each answer, and this system states none",
            fix="measure it on label tasks with `decoding: labels` or a classifier",
        )
    bins: dict[int, list[tuple[float, float]]] = {}
    for confidence, right in rows:
        bins.setdefault(min(int(confidence * num_bins), num_bins - 1), []).append((confidence, right))
    gaps = [abs(sum(c for c, _ in inside) - sum(right for _, right in inside)) for inside in bins.values()]
    return sum(gaps) / len(rows)
