"""Power analysis: the smallest difference a gold set can detect, by the paired test that compare uses.

Two systems answer the same n items. `discordance` is the fraction of items that only one of them answers correctly;
`difference` is the difference of their scores. So (discordance + difference) / 2 of the items are wins, and the other
discordant ones are losses. The test is two-sided exact McNemar at 5% (McNemar 1947,
https://doi.org/10.1007/BF02295996); `tests` comparisons share the 5% (Bonferroni). Graded scores are treated as
binary, with the mean squared difference of an item's two scores as discordance.
"""

from __future__ import annotations

from math import sqrt

from slmkit.errors import counted
from slmkit.statistics.intervals import ALPHA

POWER = 0.8
DISCORDANCE = 0.2  # assumed until it is measured; at least the difference itself
MOST_ITEMS = 1_000_000  # an upper limit: nobody writes more


def mcnemar_power(n: int, *, difference: float, discordance: float = DISCORDANCE, tests: int = 1) -> float:
    """The probability that n items detect a true difference of this size.

    The number of discordant items D is binomial(n, discordance); the wins among them are binomial(D, share of wins).
    The sum runs over every D and every number of wins that the test rejects. Example: n=100, difference 0.14 -> 0.88.
    """
    import numpy as np
    from scipy.stats import binom

    discordance = max(discordance, difference)
    share_won = (discordance + difference) / 2 / discordance
    tail = ALPHA / tests / 2
    reach = 7 * sqrt(n * discordance) + 10  # seven standard deviations: the rest has a probability under 1e-11
    counts = np.arange(max(0, int(n * discordance - reach)), min(n, int(n * discordance + reach)) + 1)
    edges = binom.ppf(tail, counts, 0.5)  # the smallest k with P(X <= k) >= tail
    edges = np.where(binom.cdf(edges, counts, 0.5) > tail, edges - 1, edges)  # the largest still rejected, or -1
    lost = binom.cdf(edges, counts, share_won)
    won = binom.sf(counts - edges - 1, counts, share_won)
    return float(binom.pmf(counts, n, discordance) @ np.where(edges >= 0, lost + won, 0.0))


def items_needed(difference: float, *, discordance: float = DISCORDANCE, tests: int = 1) -> int:
    """The number of items that detect a true difference with 80% power, at most MOST_ITEMS. Example: 0.05 -> 658."""

    def is_enough(n: int) -> bool:
        return mcnemar_power(n, difference=difference, discordance=discordance, tests=tests) >= POWER

    high = 8
    while high < MOST_ITEMS and not is_enough(high):
        high *= 2
    if high >= MOST_ITEMS:
        return MOST_ITEMS
    low = high // 2
    while high - low > max(1, high // 1000):  # a finer search is pointless: power is not monotone in n at this scale
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def detectable_difference(n: int, *, discordance: float = DISCORDANCE, tests: int = 1) -> float:
    """The smallest true difference that n items detect with 80% power, in steps of 0.001. Example: 100 -> 0.128.

    1.0 for fewer than 6 items, which cannot detect any difference.
    """
    low, high = 0, 1000
    while high - low > 1:
        middle = (low + high) // 2
        if mcnemar_power(n, difference=middle / 1000, discordance=discordance, tests=tests) < POWER:
            low = middle
        else:
            high = middle
    return high / 1000


def power_sentence(n: int) -> str:
    """The power of n items as a sentence, for a card or a terminal."""
    if mcnemar_power(n, difference=1.0) < POWER:
        fewest = items_needed(1.0)
        return f"{counted(n, 'item')} cannot detect any difference: exact McNemar at 5% needs at least {fewest}"
    smallest = round(detectable_difference(n) * 100)
    finer = next((points for points in (5, 2, 1) if points < smallest), None)
    more = f"; for {finer} you need about {items_needed(finer / 100):,} items" if finer else ""
    return (
        f"{n:,} items can detect a difference of {smallest} point{'s' if smallest > 1 else ''}{more} "
        f"(exact McNemar, 5% two-sided, 80% power, {DISCORDANCE:.0%} of items discordant)"
    )
