"""Statistics against scipy, statsmodels, published numbers, and their own promises under simulation."""

import random

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from slmkit.statistics import intervals


@pytest.mark.parametrize(("successes", "n"), [(8, 10), (0, 20), (20, 20), (151, 200)])
def test_wilson_equals_statsmodels(successes, n):
    assert intervals.wilson(successes, n) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-9)


def test_mcnemar_equals_statsmodels():
    rng = random.Random(0)
    for _ in range(20):
        a = [float(rng.random() < 0.7) for _ in range(60)]
        b = [float(rng.random() < 0.6) for _ in range(60)]
        table = [[sum(x == i and y == j for x, y in zip(a, b, strict=True)) for j in (1, 0)] for i in (1, 0)]
        assert intervals.mcnemar_exact(a, b) == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_the_worked_mcnemar_example():
    a, b = [1.0] * 10 + [0.0] * 2, [0.0] * 10 + [1.0] * 2
    assert intervals.mcnemar_exact(a, b) == pytest.approx(0.0386, abs=1e-4)


def test_newcombe_is_the_published_interval():
    # Newcombe 1998, table III, method 10 on the pairs (both 36, only a 12, only b 2, neither 0): 0.2 [0.0569, 0.3404].
    a = [1.0] * 36 + [1.0] * 12 + [0.0] * 2
    b = [1.0] * 36 + [0.0] * 12 + [1.0] * 2
    low, high = intervals.newcombe_paired(a, b)
    assert low == pytest.approx(0.0569, abs=5e-4)
    assert high == pytest.approx(0.3404, abs=5e-4)


def test_newcombe_turns_with_its_arms():
    a, b = [1.0] * 30 + [0.0] * 20, [1.0] * 20 + [0.0] * 15 + [1.0] * 15
    low, high = intervals.newcombe_paired(a, b)
    assert intervals.newcombe_paired(b, a) == pytest.approx((-high, -low))


def test_newcombe_covers_the_truth_95_times_in_100():
    rng = np.random.default_rng(0)
    draws, covered = 1_500, 0
    for _ in range(draws):
        shared = rng.standard_normal(200) * 0.5**0.5
        a = (shared + 0.5**0.5 * rng.standard_normal(200) < stats.norm.ppf(0.6)).astype(float).tolist()
        b = (shared + 0.5**0.5 * rng.standard_normal(200) < stats.norm.ppf(0.7)).astype(float).tolist()
        low, high = intervals.newcombe_paired(a, b)
        covered += low <= -0.1 <= high
    assert covered / draws == pytest.approx(0.95, abs=0.015)


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


def test_bca_equals_scipy_and_is_a_point_where_all_is_equal():
    values = np.random.default_rng(1).beta(2, 5, size=80).tolist()
    assert intervals.bca(values, seed=3) == pytest.approx(scipys_bca(values, [1] * 80, seed=3), abs=1e-9)
    assert intervals.bca([0.4, 0.4]) == (0.4, 0.4)


def test_an_interval_of_few_items_is_as_wide_as_students_t():
    values = np.linspace(0, 1, 17)  # without the expansion it would be 10 % narrower: 0.33 to 0.67
    student = stats.t.interval(0.95, 16, loc=0.5, scale=stats.sem(values))
    assert intervals.bca(values.tolist()) == pytest.approx(student, abs=0.006)
    assert intervals.bca([0.0, 1.0]) == (0.0, 1.0)


def test_sign_flips_equal_scipys_permutation_test():
    differences = np.random.default_rng(2).normal(0.1, 0.4, size=60)
    ours = intervals.sign_flip(differences.tolist())
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=0
    ).pvalue
    assert ours == pytest.approx(theirs, abs=0.015)


def test_a_difference_picks_the_test_by_the_scores():
    binary = intervals.paired_difference([1.0, 1.0, 0.0] * 20, [1.0, 0.0, 0.0] * 20)
    assert binary.p_value == intervals.mcnemar_exact([1.0, 1.0, 0.0] * 20, [1.0, 0.0, 0.0] * 20)
    graded = intervals.paired_difference([0.9, 0.5, 0.2] * 20, [0.5, 0.5, 0.5] * 20)
    assert graded.low < graded.value < graded.high
    assert graded.value == pytest.approx(0.1 / 3)


def test_holm_keeps_the_order_and_multiplies_the_smallest_by_their_number():
    assert intervals.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert intervals.holm([]) == []
    p_values = np.random.default_rng(0).beta(0.5, 3, size=21).tolist()
    assert intervals.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_a_mean_says_how_many_items_are_behind_it():
    score = intervals.mean_score([1.0] * 30 + [0.0] * 10)
    assert (score.value, score.n) == (0.75, 40)
    assert 0.55 < score.low < 0.75 < score.high < 0.9


def pairs_alike(n: int, seed: int = 0) -> tuple[list[float], list[str]]:
    """Scores of 0 and 1 where the two items of each document are always alike."""
    rng = random.Random(seed)
    drawn = [float(rng.random() < 0.8) for _ in range(n // 2)]
    return [score for score in drawn for _ in (0, 1)], [f"d{i // 2}" for i in range(n)]


def test_items_that_are_always_alike_count_as_one():
    scores, clusters = pairs_alike(400)
    assert intervals.design_effect(scores, clusters) == pytest.approx(2.0, abs=0.05)
    ours, half = intervals.mean_score(scores, clusters=clusters), intervals.mean_score(scores[::2])
    assert (ours.low, ours.high) == pytest.approx((half.low, half.high), abs=0.003)
    assert intervals.design_effect(scores, None) == intervals.design_effect(scores, [str(i) for i in range(400)]) == 1


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
    assert intervals.design_effect(values.tolist(), clusters.astype(str).tolist()) == pytest.approx(effect)


def test_documents_drawn_as_one_equal_scipys_bootstrap_of_their_sums():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 6, 40)
    clusters = np.repeat(np.arange(40), sizes).astype(str).tolist()
    values = rng.beta(2, 3, size=int(sizes.sum()))
    sums = np.array([values[np.array(clusters) == str(i)].sum() for i in range(40)])
    low, high = intervals.bca(values.tolist(), clusters=clusters)
    assert (low, high) == pytest.approx(scipys_bca(sums, sizes), abs=1e-9)


def test_a_test_on_shared_documents_flips_whole_documents():
    differences, clusters = pairs_alike(40)
    differences = [2 * score - 1 for score in differences]
    by_document = intervals.sign_flip(differences, clusters=clusters)
    assert by_document == pytest.approx(intervals.sign_flip(differences[::2]), abs=1e-9)
    a, b = [max(0.0, d) for d in differences], [max(0.0, -d) for d in differences]
    assert intervals.paired_difference(a, b, clusters=clusters).p_value == by_document
    assert intervals.paired_difference(a, b).p_value < by_document


def test_documents_with_equal_means_leave_a_point_and_no_error():
    even = intervals.mean_score([0.2, 0.8, 0.2, 0.8, 0.8, 0.2], clusters=list("aabbcc"))
    assert even.low == even.value == even.high == pytest.approx(0.5)
    pairs = [str(i // 2) for i in range(12)]
    assert intervals.paired_difference([0.2, 0.8] * 6, [0.5, 0.5] * 6, clusters=pairs).value == pytest.approx(0.0)


def test_clustered_counts_do_not_round_below_zero():
    clusters = [str(i // 10) for i in range(120)]
    other = [0.0 if i < 30 else 1.0 for i in range(120)]
    difference = intervals.paired_difference([1.0] * 120, other, clusters=clusters)
    assert difference.value == 0.25 and difference.low < 0.25 < difference.high
