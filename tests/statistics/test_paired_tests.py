"""Paired tests equal scipy, statsmodels and published numbers; swapping the two systems only changes the sign."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from slmkit.statistics.paired_tests import holm, mcnemar_exact, newcombe_paired, paired_difference, sign_flip

binary_pairs = st.lists(st.tuples(*[st.sampled_from([0.0, 1.0])] * 2), min_size=1, max_size=40)
graded_pairs = st.lists(st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 1.0])] * 2), min_size=1, max_size=20)
documents = st.sampled_from([None, 3])  # questions per document


@given(st.one_of(binary_pairs, graded_pairs), documents)
def test_swapping_the_systems_only_changes_the_sign(pairs, per_document):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    clusters = per_document and [str(i // per_document) for i in range(len(pairs))]
    ours, theirs = paired_difference(a, b, clusters=clusters), paired_difference(b, a, clusters=clusters)
    assert ours.value == pytest.approx(-theirs.value, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.p_value, abs=1e-12)
    is_binary = {*a, *b} <= {0.0, 1.0}
    if is_binary:  # the bootstrap has the same resamples, but quantiles are interpolated from the other end
        assert (ours.low, ours.high) == pytest.approx((-theirs.high, -theirs.low), abs=1e-12)


@given(binary_pairs, documents)
def test_a_difference_lies_in_its_interval_and_its_p_value_in_0_to_1(pairs, per_document):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    clusters = per_document and [str(i // per_document) for i in range(len(pairs))]
    found = paired_difference(a, b, clusters=clusters)
    assert -1 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    assert 0 < found.p_value <= 1


@given(st.lists(st.floats(0, 1), max_size=25))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


@pytest.mark.parametrize("count", [1, 3, 21])
def test_holm_equals_statsmodels(count):
    p_values = [*np.random.default_rng(0).beta(0.5, 3, size=count).tolist(), 0.5, 0.5, 1.0]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), abs=1e-12)


def test_the_worked_holm_example():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_mcnemar_equals_statsmodels_and_the_worked_example():
    rng = random.Random(0)
    for _ in range(20):
        a = [float(rng.random() < 0.7) for _ in range(60)]
        b = [float(rng.random() < 0.6) for _ in range(60)]
        table = [[sum(x == i and y == j for x, y in zip(a, b, strict=True)) for j in (1, 0)] for i in (1, 0)]
        assert mcnemar_exact(a, b) == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert mcnemar_exact([1.0] * 10 + [0.0] * 2, [0.0] * 10 + [1.0] * 2) == pytest.approx(0.0386, abs=1e-4)


def test_newcombe_is_the_published_interval():
    # Newcombe 1998, table III, method 10 on the pairs (both 36, only a 12, only b 2, neither 0): 0.2 [0.0569, 0.3404].
    a = [1.0] * 36 + [1.0] * 12 + [0.0] * 2
    b = [1.0] * 36 + [0.0] * 12 + [1.0] * 2
    assert newcombe_paired(a, b) == pytest.approx((0.0569, 0.3404), abs=5e-4)


def test_newcombe_covers_the_true_difference_95_times_in_100():
    rng = np.random.default_rng(0)
    draws, covered = 1_500, 0
    for _ in range(draws):
        shared = rng.standard_normal(200) * 0.5**0.5
        a = (shared + 0.5**0.5 * rng.standard_normal(200) < stats.norm.ppf(0.6)).astype(float).tolist()
        b = (shared + 0.5**0.5 * rng.standard_normal(200) < stats.norm.ppf(0.7)).astype(float).tolist()
        low, high = newcombe_paired(a, b)
        covered += low <= -0.1 <= high
    assert covered / draws == pytest.approx(0.95, abs=0.015)


def test_sign_flips_equal_scipys_permutation_test():
    differences = np.random.default_rng(2).normal(0.1, 0.4, size=60)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, vectorized=True, rng=0
    ).pvalue
    assert sign_flip(differences.tolist()) == pytest.approx(theirs, abs=0.015)


def test_binary_scores_get_the_exact_test_and_graded_ones_the_bootstrap():
    binary = paired_difference([1.0, 1.0, 0.0] * 20, [1.0, 0.0, 0.0] * 20)
    assert binary.p_value == mcnemar_exact([1.0, 1.0, 0.0] * 20, [1.0, 0.0, 0.0] * 20)
    graded = paired_difference([0.9, 0.5, 0.2] * 20, [0.5, 0.5, 0.5] * 20)
    assert graded.low < graded.value < graded.high
    assert graded.value == pytest.approx(0.1 / 3)


def test_the_signs_of_items_that_share_a_document_flip_together():
    rng = random.Random(0)
    per_document = [float(rng.choice([-1, 1, 1, 1, 1])) for _ in range(20)]
    differences, clusters = [d for d in per_document for _ in (0, 1)], [f"d{i // 2}" for i in range(40)]
    by_document = sign_flip(differences, clusters=clusters)
    assert by_document == pytest.approx(sign_flip(per_document), abs=1e-9)
    a, b = [max(0.0, d) for d in differences], [max(0.0, -d) for d in differences]
    assert paired_difference(a, b, clusters=clusters).p_value == by_document
    assert paired_difference(a, b).p_value < by_document


def test_documents_without_a_difference_give_zero():
    pairs = [str(i // 2) for i in range(12)]
    assert paired_difference([0.2, 0.8] * 6, [0.5, 0.5] * 6, clusters=pairs).value == pytest.approx(0.0)


def test_clustered_counts_do_not_round_below_zero():
    clusters = [str(i // 10) for i in range(120)]
    other = [0.0 if i < 30 else 1.0 for i in range(120)]
    difference = paired_difference([1.0] * 120, other, clusters=clusters)
    assert difference.value == 0.25 and difference.low < 0.25 < difference.high
