"""Intervals equal their closed form, scipy and statsmodels, and keep their properties on any scores."""

import random
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from slmkit.statistics.intervals import bca, design_effect, mean_score, wilson

binary = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=60)
graded = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def closed_form_wilson(successes: float, n: float, effect: float) -> tuple[float, float]:
    """Wilson 1927, with z = 1.96."""
    z, rate, n = 1.959963984540054, successes / n, n / effect
    centre = (rate + z**2 / n / 2) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(1, 10))
def test_wilson_equals_its_closed_form(counts, effect):
    assert wilson(*counts, design_effect=effect) == pytest.approx(closed_form_wilson(*counts, effect), abs=1e-12)


@given(st.one_of(binary, graded))
def test_an_interval_lies_in_0_to_1_and_contains_the_mean(scores):
    score = mean_score(scores)
    tolerance = 1e-12  # a mean is a sum divided by n, a bootstrap mean is not the same sum
    assert -tolerance <= score.low <= score.high <= 1 + tolerance
    if set(scores) <= {0.0, 1.0}:
        assert score.low <= score.value <= score.high


@given(binary.filter(lambda scores: len(scores) > 1))
def test_ten_times_the_items_narrow_the_interval(scores):
    few, many = mean_score(scores), mean_score(scores * 10)
    assert many.high - many.low < few.high - few.low
    assert many.value == pytest.approx(few.value)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from("abcdef")), min_size=1, max_size=40))
def test_shared_documents_never_narrow_a_binary_interval(rows):
    scores, clusters = [score for score, _ in rows], [cluster for _, cluster in rows]
    clustered, independent = mean_score(scores, clusters=clusters), mean_score(scores)
    assert clustered.high - clustered.low >= independent.high - independent.low - 1e-12


def scipys_bca(values, sizes, seed=0):
    """scipy's interval of the ratio of sums, at the level that bca expands to."""
    m = len(values)
    level = 1 - 2 * stats.norm.cdf(-((m / (m - 1)) ** 0.5) * stats.t.ppf(0.975, m - 1))
    found = stats.bootstrap(
        (np.asarray(values), np.asarray(sizes)),
        lambda s, n, axis: s.sum(axis) / n.sum(axis),
        paired=True,
        n_resamples=4_000,
        batch=500,
        confidence_level=level,
        rng=seed,
    )
    return found.confidence_interval


def test_bca_equals_scipy_and_is_a_point_if_all_values_are_equal():
    values = np.random.default_rng(1).beta(2, 5, size=80).tolist()
    assert bca(values, seed=3) == pytest.approx(scipys_bca(values, [1] * 80, seed=3), abs=1e-9)
    assert bca([0.4, 0.4]) == (0.4, 0.4)


def test_bca_of_documents_equals_scipys_bootstrap_of_their_sums():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 6, 40)
    clusters = np.repeat(np.arange(40), sizes).astype(str).tolist()
    values = rng.beta(2, 3, size=int(sizes.sum()))
    sums = np.array([values[np.array(clusters) == str(i)].sum() for i in range(40)])
    assert bca(values.tolist(), clusters=clusters) == pytest.approx(scipys_bca(sums, sizes), abs=1e-9)


def test_an_interval_of_few_items_is_as_wide_as_students_t():
    values = np.linspace(0, 1, 17)  # without the expansion it would be 10% narrower: 0.33 to 0.67
    student = stats.t.interval(0.95, 16, loc=0.5, scale=stats.sem(values))
    assert bca(values.tolist()) == pytest.approx(student, abs=0.006)
    assert bca([0.0, 1.0]) == (0.0, 1.0)


def test_two_items_per_document_that_are_always_equal_count_as_one():
    rng = random.Random(0)
    drawn = [float(rng.random() < 0.8) for _ in range(200)]
    scores, clusters = [score for score in drawn for _ in (0, 1)], [f"d{i // 2}" for i in range(400)]
    assert design_effect(scores, clusters) == pytest.approx(2.0, abs=0.05)
    ours, half = mean_score(scores, clusters=clusters), mean_score(drawn)
    assert (ours.low, ours.high) == pytest.approx((half.low, half.high), abs=0.003)
    assert design_effect(scores, None) == design_effect(scores, [str(i) for i in range(400)]) == 1


def test_the_design_effect_equals_the_variance_of_statsmodels_clustered_regression():
    from statsmodels.api import OLS

    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    values = rng.normal(size=60)[clusters] * 0.6 + rng.normal(size=len(clusters))
    robust = OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    few = (stats.t.ppf(0.975, 59) / stats.norm.ppf(0.975)) ** 2 * 60 / 59
    effect = robust.cov_params()[0, 0] / (values.var() / len(values)) * few
    assert design_effect(values.tolist(), clusters.astype(str).tolist()) == pytest.approx(effect)


def test_documents_with_equal_means_give_a_point():
    even = mean_score([0.2, 0.8, 0.2, 0.8, 0.8, 0.2], clusters=list("aabbcc"))
    assert even.low == even.value == even.high == pytest.approx(0.5)
