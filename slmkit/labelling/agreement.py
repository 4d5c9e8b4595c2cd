"""How far people agree who labelled the same items: the share alike, and Cohen's kappa, which leaves chance out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from slmkit.labelling.journal import Labelling

_RESAMPLES = 2_000


@dataclass(frozen=True)
class Agreement:
    """Two people on the items that both answered; kappa is None where it is not defined, as for free texts."""

    first: str
    second: str
    n: int
    share: float  # of these items answered alike
    kappa: float | None
    low: float | None = None  # 95 % interval of kappa
    high: float | None = None

    def __str__(self) -> str:
        told = f"{self.first} and {self.second}: {self.share:.0%} of {self.n:,} items alike"
        if self.kappa is None:
            return told
        return f"{told}, kappa {self.kappa:.2f} [{self.low:.2f}, {self.high:.2f}]"


def agreements(labelling: Labelling) -> list[Agreement]:
    """Each two people who answered some of the same items."""
    found = []
    for first, second in combinations(sorted(labelling.work), 2):
        a, b = labelling.answers(first), labelling.answers(second)
        both = [item.id for item in labelling.items if item.id in a and item.id in b]
        if both:
            one, other = [labelling.same(a[id]) for id in both], [labelling.same(b[id]) for id in both]
            share = sum(x == y for x, y in zip(one, other, strict=True)) / len(both)
            found.append(Agreement(first, second, len(both), share, *_kappa(one, other, labelling.labels)))
    return found


def _kappa(a: Sequence[str], b: Sequence[str], labels: Sequence[str]) -> tuple[float | None, ...]:
    """Cohen's kappa with the percentile bootstrap's 95 % interval; nothing where chance alone would agree on all.

    Example: 20 both yes, 5 only a, 10 only b, 15 both no: 35 of 50 alike, by chance 25 -> 0.40.
    Source: Cohen 1960, https://doi.org/10.1177/001316446002000104; the point by sklearn.
    """
    if not labels or len({*a, *b}) < 2:
        return (None,)
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    places = {label: i for i, label in enumerate(labels)}
    one, other = np.array([places[x] for x in a]), np.array([places[x] for x in b])
    picks = np.random.default_rng(0).integers(0, len(a), (_RESAMPLES, len(a)))  # (resamples, N)
    alike = (one[picks] == other[picks]).mean(1)
    shares = [[(person[picks] == i).mean(1) for i in range(len(labels))] for person in (one, other)]
    chance = sum(x * y for x, y in zip(*shares, strict=True))
    defined = chance < 1
    low, high = np.quantile((alike[defined] - chance[defined]) / (1 - chance[defined]), [0.025, 0.975])
    return float(cohen_kappa_score(a, b)), float(low), float(high)
