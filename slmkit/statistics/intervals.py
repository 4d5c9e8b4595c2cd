"""How sure a score is: intervals, paired tests on the same items, and correction for many arms.

Short formulas are here, and equal what scipy and statsmodels have of them. Scores are one number an item;
binary means that each is 0 or 1. `clusters` names the document each item is about: questions on one document are
alike, so many of them tell less than their number, and intervals and tests treat them as one draw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, sqrt
from typing import Any

from slmkit.types import Score

ALPHA = 0.05
_Z = 1.959963984540054  # two-sided 95 % of the normal distribution
_NUM_RESAMPLES = 4_000  # Monte Carlo error of a p-value of 0.05: 0.0034
_BATCH = 500  # resamples at a time, for memory
_TIED = 1e-12  # means that differ by less are equal but for rounding


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


def mean_score(scores: Sequence[float], *, clusters: Sequence[str] | None = None, seed: int = 0) -> Score:
    """The mean with its 95 % interval: Wilson for binary scores, BCa bootstrap for graded ones."""
    if not scores:
        return Score(float("nan"), 0.0, 1.0, 0)
    n = len(scores)
    value = sum(scores) / n
    if is_binary(scores):
        low, high = wilson(value * n, n, design_effect=design_effect(scores, clusters))
    else:
        low, high = bca(scores, clusters=clusters, seed=seed)
    return Score(value, low, high, n)


def paired_difference(
    a: Sequence[float], b: Sequence[float], *, clusters: Sequence[str] | None = None, seed: int = 0
) -> Difference:
    """a - b on the same items: Newcombe interval and exact McNemar test if binary, else BCa and sign flips.

    Where items share a cluster, the test flips the signs of whole clusters, whatever the scores are.
    """
    assert len(a) == len(b)
    if not a:
        return Difference(float("nan"), -1.0, 1.0, 1.0, 0)
    differences = [x - y for x, y in zip(a, b, strict=True)]
    value = sum(differences) / len(a)
    is_clustered = clusters is not None and len(set(clusters)) < len(clusters)
    if is_binary(a) and is_binary(b):
        low, high = newcombe_paired(a, b, design_effect=design_effect(differences, clusters))
        p_value = sign_flip(differences, clusters=clusters, seed=seed) if is_clustered else mcnemar_exact(a, b)
        return Difference(value, low, high, p_value, len(a))
    low, high = bca(differences, clusters=clusters, seed=seed)
    return Difference(value, low, high, sign_flip(differences, clusters=clusters, seed=seed), len(a))


def wilson(successes: float, n: float, *, design_effect: float = 1.0) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate: 8 of 10 -> (0.490, 0.943).

    design_effect: n counts as n / design_effect items.
    Source: Wilson 1927; recommended for small n by Brown, Cai and DasGupta 2001, https://doi.org/10.1214/ss/1009213286.
    """
    rate, n = successes / n, n / design_effect
    weight = _Z**2 / n
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


def newcombe_paired(a: Sequence[float], b: Sequence[float], *, design_effect: float = 1.0) -> tuple[float, float]:
    """Newcombe's 95 % interval of the difference of two paired rates: Wilson's intervals and their correlation.

    design_effect: n items count as n / design_effect.
    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
    """
    n = len(a) / design_effect
    both = sum(x == y == 1 for x, y in zip(a, b, strict=True)) / design_effect
    only_a = sum(x > y for x, y in zip(a, b, strict=True)) / design_effect
    only_b = sum(x < y for x, y in zip(a, b, strict=True)) / design_effect
    neither = sum(x == y == 0 for x, y in zip(a, b, strict=True)) / design_effect
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


def bca(values: Sequence[float], *, clusters: Sequence[str] | None = None, seed: int = 0) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap 95 % interval of the mean; a point where all values are equal.

    What is drawn again is clusters, each with all its items. The level is expanded as t exceeds z, since resamples
    spread less than samples do: without it, 95 % intervals of 17 documents cover 92 % (benchmarks/error_rates.md).
    Source: Efron 1987, https://doi.org/10.2307/2289144; expanded as by Hesterberg 2015, section 5.1,
    https://doi.org/10.1080/00031305.2015.1089789. Equals scipy.stats.bootstrap at the expanded level, whose jackknife
    takes n * n steps.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri
    from scipy.stats import t

    sums, sizes = (np.asarray(column, dtype=float) for column in _by_cluster(values, clusters))
    m, mean = len(sums), float(sums.sum() / sizes.sum())
    if m < 2 or min(values) == max(values):
        return mean, mean
    drawn = _resampled(sums, seed) / _resampled(sizes, seed)
    if np.ptp(drawn) <= _TIED:  # documents whose means are all equal: which are drawn changes nothing
        return mean, mean
    below, at = (drawn < mean - _TIED).mean(), (abs(drawn - mean) <= _TIED).mean()
    bias = ndtri(below + at / 2)
    influence = sums.sum() / sizes.sum() - (sums.sum() - sums) / (sizes.sum() - sizes)
    influence -= influence.mean()
    acceleration = (influence**3).sum() / (influence**2).sum() ** 1.5 / 6
    reach = bias + sqrt(m / (m - 1)) * t.ppf([ALPHA / 2, 1 - ALPHA / 2], m - 1)
    low, high = np.quantile(drawn, ndtr(bias + reach / (1 - acceleration * reach)))
    return float(low), float(high)


def _resampled(values: Any, seed: int) -> Any:
    """The sum of each resample of the values."""
    import numpy as np

    if (values == values[0]).all():
        return np.full(_NUM_RESAMPLES, values.sum())
    counts = _counts(len(values), seed)
    return np.concatenate([counts[i : i + _BATCH] @ values for i in range(0, _NUM_RESAMPLES, _BATCH)])


@lru_cache(maxsize=1)  # all arms of a comparison are drawn alike, and drawing takes longer than summing
def _counts(m: int, seed: int) -> Any:
    """How often each resample (row) holds each of m things (column): 4 kB a thing."""
    import numpy as np

    rng = np.random.default_rng(seed)
    counts = np.empty((_NUM_RESAMPLES, m), dtype=np.uint8)
    rows = np.arange(_BATCH)[:, None] * m
    for i in range(0, _NUM_RESAMPLES, _BATCH):
        drawn = rng.integers(0, m, size=(_BATCH, m)) + rows
        counts[i : i + _BATCH] = np.bincount(drawn.ravel(), minlength=_BATCH * m).reshape(_BATCH, m)
    return counts


def sign_flip(differences: Sequence[float], *, clusters: Sequence[str] | None = None, seed: int = 0) -> float:
    """Two-sided p-value of a zero mean: the share of random sign changes that move the mean at least as far.

    The signs of a cluster change together. Where none of the draws goes as far, the share is too small to be counted,
    and Hoeffding's bound of it is given if it is smaller: a floor would be too high for hundreds of tests.
    Source: Fisher 1935; as scipy.stats.permutation_test(permutation_type="samples"), but drawn as one matrix product.
    Hoeffding 1963, theorem 2, https://doi.org/10.1080/01621459.1963.10500830.
    """
    import numpy as np

    values = np.asarray(_by_cluster(differences, clusters)[0], dtype=float)
    values = values[values != 0]
    if len(values) == 0:
        return 1.0
    rng = np.random.default_rng(seed)
    observed = abs(values.sum()) - 1e-9
    width = -(-len(values) // 8)  # bytes that hold a bit a value
    reached = 0
    for _ in range(0, _NUM_RESAMPLES, _BATCH):
        bits = np.frombuffer(rng.bytes(_BATCH * width), dtype=np.uint8).reshape(_BATCH, width)
        is_kept = np.unpackbits(bits, axis=1, count=len(values))
        reached += int((abs(2 * (is_kept @ values) - values.sum()) >= observed).sum())
    counted = (reached + 1) / (_NUM_RESAMPLES + 1)
    return counted if reached else min(counted, 2 * exp(-(observed**2) / (2 * float(values @ values))))


def design_effect(values: Sequence[float], clusters: Sequence[str] | None, *, tests: int = 1) -> float:
    """By how much the variance of the mean exceeds that of as many unrelated items, at least 1; 1 without clusters.

    Two items a cluster, always alike, many clusters -> 2. Where all values are equal, each cluster counts as one item.
    tests: how many comparisons share ALPHA, which matters where clusters are few.
    Source: Kish 1965; the factor for few clusters by Korn and Graubard 1998, Survey Methodology 24, 193-201.
    """
    if clusters is None or len(set(clusters)) == len(clusters):
        return 1.0
    from scipy.stats import norm, t

    sums, sizes = _by_cluster(values, clusters)
    n, m = len(values), len(sums)
    mean = sum(values) / n
    spread = sum((value - mean) ** 2 for value in values) / n
    if m < 2 or spread == 0:
        return n / m
    between = m / (m - 1) * sum((total - mean * size) ** 2 for total, size in zip(sums, sizes, strict=True)) / n
    tail = 1 - ALPHA / 2 / tests
    return float(max(1.0, between / spread * (t.ppf(tail, m - 1) / norm.ppf(tail)) ** 2))


def _by_cluster(values: Sequence[float], clusters: Sequence[str] | None) -> tuple[list[float], list[int]]:
    """The sum and the number of the values of each cluster, in order of appearance."""
    if clusters is None:
        return [float(value) for value in values], [1] * len(values)
    sums: dict[str, float] = {}
    sizes: Counter[str] = Counter()
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
        sizes[cluster] += 1
    return list(sums.values()), [sizes[cluster] for cluster in sums]


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted so that the chance of even one false finding among them stays at most ALPHA.

    [0.01, 0.04, 0.03] -> [0.03, 0.06, 0.06]. Source: Holm 1979, https://www.jstor.org/stable/4615733.
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
