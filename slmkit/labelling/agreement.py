"""Agreement of annotators on the same items: percent agreement, and Cohen's kappa, which corrects for chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from slmkit.labelling.journal import Labelling

_RESAMPLES = 2_000


@dataclass(frozen=True)
class Agreement:
    """The agreement of two annotators on the items both answered; kappa is None for free texts or a single label."""

    first: str
    second: str
    n: int
    share: float  # of the items with the same answer
    kappa: float | None
    low: float | None = None  # 95% interval of kappa
    high: float | None = None

    def __str__(self) -> str:
        shared = f"{self.first} and {self.second}: same answer to {self.share:.0%} of {self.n:,} items"
        if self.kappa is None:
            return shared
        return f"{shared}, kappa {self.kappa:.2f} [{self.low:.2f}, {self.high:.2f}]"


def agreements(labelling: Labelling) -> list[Agreement]:
    """The agreement of each pair of annotators with items in common."""
    pairs = []
    for first, second in combinations(sorted(labelling.work), 2):
        a, b = labelling.answers(first), labelling.answers(second)
        both = [item.id for item in labelling.items if item.id in a and item.id in b]
        if both:
            one, other = [labelling.comparable(a[id]) for id in both], [labelling.comparable(b[id]) for id in both]
            share = sum(x == y for x, y in zip(one, other, strict=True)) / len(both)
            pairs.append(Agreement(first, second, len(both), share, *_kappa(one, other, labelling.labels)))
    return pairs


def _kappa(a: Sequence[str], b: Sequence[str], labels: Sequence[str]) -> tuple[float | None, ...]:
    """Cohen's kappa with its 95% percentile bootstrap interval; None if it is undefined.

    Example: 20 both yes, 5 only a, 10 only b, 15 both no: 35 of 50 agree, 25 expected by chance -> 10 / 25 = 0.40.
    Source: Cohen 1960, https://doi.org/10.1177/001316446002000104; the point estimate is sklearn's.
    """
    if not labels or len({*a, *b}) < 2:
        return (None,)
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    indices = {label: i for i, label in enumerate(labels)}
    one, other = np.array([indices[x] for x in a]), np.array([indices[x] for x in b])
    picks = np.random.default_rng(0).integers(0, len(a), (_RESAMPLES, len(a)))  # (resamples, N)
    agree = (one[picks] == other[picks]).mean(1)
    shares = [[(person[picks] == i).mean(1) for i in range(len(labels))] for person in (one, other)]
    chance = sum(x * y for x, y in zip(*shares, strict=True))
    defined = chance < 1
    low, high = np.quantile((agree[defined] - chance[defined]) / (1 - chance[defined]), [0.025, 0.975])
    return float(cohen_kappa_score(a, b)), float(low), float(high)
