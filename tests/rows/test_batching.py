"""Micro-batches contain every row once, respect the limits, and are as cheap as possible."""

from __future__ import annotations

import itertools
import random

from slmkit.rows.batching import cut, cut_for_workers, pad
from slmkit.rows.loss_mask import Row


def cost(groups, lengths, overhead):
    return sum(max(lengths[i] for i in group) * len(group) + overhead for group in groups)


def test_the_example_in_the_docstring_holds():
    assert cut([10, 300, 12, 290], max_tokens=4096, max_rows=16, overhead=128) == [[0, 2], [3, 1]]


def test_every_row_is_used_once_and_the_limits_hold():
    lengths = [random.Random(0).randint(1, 400) for _ in range(200)]
    groups = cut(lengths, max_tokens=1000, max_rows=8, overhead=50)
    assert sorted(itertools.chain(*groups)) == list(range(200))
    for group in groups:
        assert len(group) <= 8
        assert max(lengths[i] for i in group) * len(group) <= 1000


def test_a_row_longer_than_max_tokens_is_alone_in_its_batch():
    assert cut([5, 2000, 5], max_tokens=100, max_rows=8, overhead=1) == [[0, 2], [1]]


def test_no_other_grouping_of_sorted_rows_costs_less():
    lengths = [3, 50, 7, 9, 48, 90, 1]
    groups = cut(lengths, max_tokens=200, max_rows=4, overhead=30)
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    cheapest = float("inf")
    for edges in itertools.product([0, 1], repeat=len(order) - 1):
        stops = [0, *(i + 1 for i, edge in enumerate(edges) if edge), len(order)]
        candidate = [order[a:b] for a, b in itertools.pairwise(stops)]
        if all(len(g) <= 4 and (len(g) == 1 or lengths[g[-1]] * len(g) <= 200) for g in candidate):
            cheapest = min(cheapest, cost(candidate, lengths, 30))
    assert cost(groups, lengths, 30) == cheapest


def test_two_workers_are_busy_for_half_the_time():
    assert sorted(map(len, cut_for_workers([100] * 8, workers=2, max_tokens=512, max_rows=8, overhead=26))) == [4, 4]
    lengths = [random.Random(1).randint(40, 160) for _ in range(8)]
    groups = cut_for_workers(lengths, workers=2, max_tokens=512, max_rows=8, overhead=26)
    assert sorted(itertools.chain(*groups)) == list(range(8))
    costs = [max(lengths[i] for i in group) * len(group) + 26 for group in groups]
    assert costs == sorted(costs, reverse=True)  # the longest first
    busy = [0, 0]
    for one in costs:
        busy[busy.index(min(busy))] += one
    assert max(busy) < 0.62 * sum(lengths)


def test_one_worker_has_the_cheapest_groups():
    limits = {"max_tokens": 200, "max_rows": 4, "overhead": 30}
    lengths = [3, 50, 7, 9, 48, 90, 1]
    assert cut_for_workers(lengths, workers=1, **limits) == cut(lengths, **limits)


def test_padding_is_on_the_right_and_carries_no_loss():
    batch = pad([Row("a", [5, 6], [-100, 6]), Row("b", [7], [7])], pad_token_id=0)
    assert batch["input_ids"].tolist() == [[5, 6], [7, 0]]
    assert batch["labels"].tolist() == [[-100, 6], [7, -100]]
