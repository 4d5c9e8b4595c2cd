"""Calibration: whether the confidence of a system matches its accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.errors import SlmkitError
from slmkit.metrics.match import exact_match
from slmkit.types import Answer, Example, PositiveInt


def ece(examples: Sequence[Example], answers: Sequence[Answer], *, num_bins: PositiveInt = 10) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy, over bins of similar confidence.

    Two answers with confidence 0.9, one of them right: |0.5 - 0.9| = 0.4. 0 is perfect. The confidence is the
    probability that the system gave its answer; answers without one (free text, an endpoint) are omitted.
    Source: Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602; Guo et al. 2017, https://arxiv.org/abs/1706.04599.
    """
    rows = [
        (answer.confidence, exact_match(example, answer))
        for example, answer in zip(examples, answers, strict=True)
        if answer.confidence is not None
    ]
    if not rows:
        raise SlmkitError(
            "ece needs the confidence of each answer, but this system reports none",
            fix="use a classification task with `decoding: labels`, or embedding_classifier",
        )
    if wrong := [confidence for confidence, _ in rows if not 0 <= confidence <= 1]:
        what = f"ece needs confidences from 0 to 1; {len(wrong)} are not, such as {wrong[0]}"
        raise SlmkitError(what, fix="let the system report probabilities")
    bins: dict[int, list[tuple[float, float]]] = {}
    for confidence, score in rows:
        bins.setdefault(min(int(confidence * num_bins), num_bins - 1), []).append((confidence, score))
    gaps = [abs(sum(confidence - score for confidence, score in members)) for members in bins.values()]
    return sum(gaps) / len(rows)
