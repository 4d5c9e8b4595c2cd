"""How sure a score is: intervals, paired tests on the same items, and correction for many arms.

Tests and bootstraps are by scipy; the short formulas are here and equal statsmodels. Scores are one number an item;
binary means that each is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from slmkit.types import Score

ALPHA = 0.05
_Z = 1.959963984540054  # two-sided 95 % of the normal distribution
_NUM_RESAMPLES = 4_000  # Monte Carlo error of a p-value of 0.05: 0.0034


@dataclass(frozen=True)
class Difference:
    """Mean of a - b over the same items with its 95 % interval, and the p-value of no difference."""

    value: float
    low: float
    high: float
    p_value: float
    n: int


def is_binary(scores: Sequence[float]) -> bool:
    """Whether every score is 0 or 1."""
    return all(score in (0, 1) for score in scores)


def mean_score(scores: Sequence[float], *, seed: int = 0) -> Score:
    """The mean with its 95 % interval: Wilson for binary scores, BCa bootstrap for graded ones."""
    if not scores:
        return Score(float("nan"), 0.0, 1.0, 0)
    value = sum(scores) / len(scores)
    low, high = wilson(sum(scores), len(scores)) if is_binary(scores) else bca(scores, seed=seed)
    return Score(value, low, high, len(scores))


def paired_difference(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> Difference:
    """a - b on the same items: Newcombe interval and exact McNemar test if binary, else BCa and sign flips."""
    assert len(a) == len(b)
    if not a:
        return Difference(float("nan"), -1.0, 1.0, 1.0, 0)
    value = sum(x - y for x, y in zip(a, b, strict=True)) / len(a)
    if is_binary(a) and is_binary(b):
        low, high = newcombe_paired(a, b)
        return Difference(value, low, high, mcnemar_exact(a, b), len(a))
    differences = [x - y for x, y in zip(a, b, strict=True)]
    low, high = bca(differences, seed=seed)
    return Difference(value, low, high, sign_flip(differences, seed=seed), len(a))


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate: 8 of 10 -> (0.490, 0.943).

    Source: Wilson 1927; recommended for small n by Brown, Cai and DasGupta 2001, https://doi.org/10.1214/ss/1009213286.
    """
    rate, weight = successes / n, _Z**2 / n
    centre = (rate + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * sqrt(rate * (1 - rate) / n + weight / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_exact(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided exact p-value that two binary scores are alike: a binomial test on the items where they differ.

    10 items only a has, 2 only b has: 2 * P(X <= 2 | 12, 1/2) = 0.0386.
    """
    from scipy.stats import binomtest

    only_a = sum(x > y for x, y in zip(a, b, strict=True))
    only_b = sum(x < y for x, y in zip(a, b, strict=True))
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def newcombe_paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Newcombe's 95 % interval of the difference of two paired rates: Wilson's intervals and their correlation.

    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
    """
    n = len(a)
    both = sum(x == y == 1 for x, y in zip(a, b, strict=True))
    only_a = sum(x > y for x, y in zip(a, b, strict=True))
    only_b = sum(x < y for x, y in zip(a, b, strict=True))
    neither = n - both - only_a - only_b
    rate_a, rate_b = (both + only_a) / n, (both + only_b) / n
    low_a, high_a = wilson(both + only_a, n)
    low_b, high_b = wilson(both + only_b, n)
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    cross = float(both * neither - only_a * only_b)
    if cross > 0:  # the paper's continuity correction of the phi coefficient
        cross = max(cross - n / 2, 0.0)
    phi = cross / sqrt(margins) if margins else 0.0
    down, up = rate_a - low_a, high_b - rate_b
    below = sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))
    up_a, down_b = high_a - rate_a, rate_b - low_b
    above = sqrt(max(0.0, up_a**2 - 2 * phi * up_a * down_b + down_b**2))
    difference = rate_a - rate_b
    return max(-1.0, difference - below), min(1.0, difference + above)


def bca(values: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap 95 % interval of the mean; a point where all values are equal.

    Source: Efron 1987, https://doi.org/10.2307/2289144; by scipy.stats.bootstrap.
    """
    if len(values) < 2 or min(values) == max(values):
        mean = sum(values) / len(values)
        return mean, mean
    import numpy as np
    from scipy.stats import bootstrap

    found = bootstrap(
        (np.asarray(values, dtype=float),), np.mean, n_resamples=_NUM_RESAMPLES, batch=500, method="BCa", rng=seed
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def sign_flip(differences: Sequence[float], *, seed: int = 0) -> float:
    """Two-sided p-value of a zero mean: the share of random sign changes that move the mean at least as far.

    Source: Fisher 1935; as scipy.stats.permutation_test(permutation_type="samples"), but drawn as one matrix product.
    """
    import numpy as np

    values = np.asarray(differences, dtype=float)
    values = values[values != 0]
    if len(values) == 0:
        return 1.0
    rng = np.random.default_rng(seed)
    observed = abs(values.sum()) - 1e-9
    reached = 0
    for _ in range(0, _NUM_RESAMPLES, 500):
        signs = rng.integers(0, 2, size=(500, len(values)), dtype=np.int8) * 2 - 1
        reached += int((abs(signs @ values) >= observed).sum())
    return (reached + 1) / (_NUM_RESAMPLES + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted so that the chance of even one false finding among them stays at most ALPHA.

    [0.01, 0.04, 0.03] -> [0.03, 0.06, 0.06]. Source: Holm 1979, https://www.jstor.org/stable/4615733.
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
