"""Power equals exact enumeration, and the number of items asked for reaches 80% power."""

import re
from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from slmkit.statistics.power import MOST_ITEMS, detectable_difference, items_needed, mcnemar_power, power_sentence


@pytest.mark.parametrize(
    ("n", "difference", "discordance", "tests"),
    [(6, 1.0, 1.0, 1), (8, 0.6, 0.7, 1), (9, 0.3, 0.9, 1), (9, 0.7, 0.8, 3)],
)
def test_power_equals_the_sum_over_every_outcome(n, difference, discordance, tests):
    chances = {1: (discordance + difference) / 2, -1: (discordance - difference) / 2, 0: 1 - discordance}
    power = 0.0
    rejects = cache(lambda won, lost: won + lost > 0 and binomtest(won, won + lost).pvalue <= 0.05 / tests)
    for outcome in product((1, -1, 0), repeat=n):
        if rejects(outcome.count(1), outcome.count(-1)):
            power += float(np.prod([chances[item] for item in outcome]))
    found = mcnemar_power(n, difference=difference, discordance=discordance, tests=tests)
    assert found == pytest.approx(power, abs=1e-12)


@pytest.mark.parametrize(
    ("difference", "discordance", "tests"),
    [(0.05, 0.2, 1), (0.1, 0.2, 1), (0.3, 0.3, 1), (0.05, 0.4, 6), (0.1, 0.1, 3)],
)
def test_the_items_needed_reach_eighty_percent_power_in_simulation(difference, discordance, tests):
    n = items_needed(difference, discordance=discordance, tests=tests)
    won = (discordance + difference) / 2
    draws = np.random.default_rng(0).multinomial(n, [won, discordance - won, 1 - discordance], size=10_000)
    p_values = 2 * binom.cdf(draws[:, :2].min(1), draws[:, :2].sum(1), 0.5)  # of the two-sided exact test
    found = (p_values <= 0.05 / tests).mean()
    assert found == pytest.approx(0.8, abs=0.02)  # simulation error 0.004; the steps of n above 0.3 cost up to 0.01


def test_the_detectable_difference_and_the_items_needed_agree():
    for n in (50, 100, 400):
        smallest = detectable_difference(n)
        assert mcnemar_power(n, difference=smallest) >= 0.8 > mcnemar_power(n, difference=smallest - 0.002)
        assert items_needed(smallest) == pytest.approx(n, rel=0.05)


def test_a_difference_too_small_for_any_set_gives_the_largest_number():
    assert items_needed(1e-9) == MOST_ITEMS
    assert detectable_difference(3) == 1.0
    assert detectable_difference(50, discordance=0.01) < 0.2  # then every discordant item goes one way


def test_the_sentence_has_the_detectable_difference_and_the_items_for_a_finer_one():
    assert re.findall(r"\d+", power_sentence(200))[:4] == ["200", "9", "5", "658"]
    assert re.findall(r"\d+", power_sentence(3))[::2] == ["3", "6"]
