"""Rows to tensors with little padding: the rows of one optimizer step are sorted by length and cut into micro-batches.

The trainer's shuffling decides which rows share a step, so each step has the gradient that one padded batch would
give, for less work.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slmkit.rows.loss_mask import IGNORED, Row

if TYPE_CHECKING:
    import torch

# The fixed cost of one more micro-batch (kernel launches, Python), in tokens' worth of work.
OVERHEAD_TOKENS = 128


def cut(lengths: Sequence[int], *, max_tokens: int, max_rows: int, overhead: int = OVERHEAD_TOKENS) -> list[list[int]]:
    """Indices into `lengths`, grouped into the cheapest micro-batches: the cost is padded tokens plus `overhead` each.

    A group has at most max_rows rows and max_tokens padded tokens; a row longer than max_tokens is alone in its group.

    Example: lengths 10, 300, 12, 290 with overhead 128 -> [[0, 2], [3, 1]]: 24 + 600 + 256 = 880 tokens' worth,
    where one batch of four would be 1,200 + 128.
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    best = [0.0] + [float("inf")] * len(order)  # best[n]: cost of the n shortest rows
    start = [0] * (len(order) + 1)  # start of the last group in that solution
    for stop in range(1, len(order) + 1):
        longest = lengths[order[stop - 1]]
        for first in range(stop - 1, max(-1, stop - 1 - max_rows), -1):
            padded = longest * (stop - first)
            if padded > max_tokens and stop - first > 1:
                break
            cost = best[first] + padded + overhead
            if cost < best[stop]:
                best[stop], start[stop] = cost, first
    groups, stop = [], len(order)
    while stop:
        groups.append(order[start[stop] : stop])
        stop = start[stop]
    return groups[::-1]


def cut_for_workers(
    lengths: Sequence[int], *, workers: int, max_tokens: int, max_rows: int, overhead: int = OVERHEAD_TOKENS
) -> list[list[int]]:
    """Micro-batches for workers that take the next one when they are free, the longest first: those done soonest.

    Example: eight rows of 100 tokens, two workers, max_rows 8 -> two groups of four, where `cut` makes one of eight.
    """
    if workers < 2 or len(lengths) < 2:
        return cut(lengths, max_tokens=max_tokens, max_rows=max_rows, overhead=overhead)

    def cost(group: list[int]) -> int:
        return max(lengths[i] for i in group) * len(group) + overhead

    best: list[list[int]] = []
    least = float("inf")
    for rows in range(1, min(max_rows, len(lengths)) + 1):
        groups = sorted(cut(lengths, max_tokens=max_tokens, max_rows=rows, overhead=overhead), key=cost, reverse=True)
        busy = [0] * workers
        for group in groups:
            busy[busy.index(min(busy))] += cost(group)
        if max(busy) <= least:
            best, least = groups, max(busy)
    return best


def pad(rows: Sequence[Row] | Sequence[dict[str, Any]], *, pad_token_id: int) -> dict[str, torch.Tensor]:
    """input_ids and labels of the rows, (B, T), padded on the right; for packed rows also position_ids.

    There is no attention_mask: causal attention never looks ahead, so right padding changes nothing before it, and
    without a mask the attention kernels take their fast causal path. position_ids that restart at each document, with
    no mask and no cache, tell transformers to keep the documents apart.
    """
    import torch

    values = [row if isinstance(row, dict) else vars(row) for row in rows]
    longest = max(len(value["input_ids"]) for value in values)
    input_ids = torch.full((len(values), longest), pad_token_id)
    labels = torch.full((len(values), longest), IGNORED)
    for i, value in enumerate(values):
        input_ids[i, : len(value["input_ids"])] = torch.tensor(value["input_ids"])
        labels[i, : len(value["labels"])] = torch.tensor(value["labels"])
    if not any(value.get("seq_lengths") for value in values):
        return {"input_ids": input_ids, "labels": labels}
    position_ids = torch.arange(longest).repeat(len(values), 1)
    for i, value in enumerate(values):
        for start in itertools.accumulate(value["seq_lengths"]):  # padding restarts at 0 too
            position_ids[i, start:] = torch.arange(longest - start)
    return {"input_ids": input_ids, "labels": labels, "position_ids": position_ids}


def shifted_mask(labels: torch.Tensor) -> torch.Tensor:
    """(B, T - 1): whether position t predicts a token t + 1 that is in the loss."""
    return labels[:, 1:] != IGNORED
