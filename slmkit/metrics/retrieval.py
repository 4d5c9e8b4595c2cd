"""Retrieval metrics: the passages of an answer against the ids in its example's `relevant`.

An example without relevant passages scores 1.
"""

from __future__ import annotations

from math import log2

from slmkit.types import Answer, Example


def recall(example: Example, answer: Answer) -> float:
    """The fraction of the relevant passages that were found: 1 of 2 -> 0.5."""
    if not example.relevant:
        return 1.0
    return len(set(example.relevant) & set(answer.passages)) / len(set(example.relevant))


def mrr(example: Example, answer: Answer) -> float:
    """Reciprocal rank of the first relevant passage: rank 3 -> 0.333, none found -> 0.0."""
    if not example.relevant:
        return 1.0
    ranks = (rank for rank, id in enumerate(dict.fromkeys(answer.passages), 1) if id in example.relevant)
    return 1 / next(ranks, float("inf"))


def ndcg(example: Example, answer: Answer, *, top_k: int = 10) -> float:
    """Normalised discounted cumulative gain: the sum of 1 / log2(rank + 1) over relevant passages, over its maximum.

    Both of 2 relevant passages found, at ranks 2 and 3: (0.631 + 0.5) / (1 + 0.631) = 0.693. A passage that is found
    twice counts at its first rank.
    Source: Järvelin and Kekäläinen 2002, https://doi.org/10.1145/582415.582418, with binary gains.
    """
    if not example.relevant:
        return 1.0
    found = [id in example.relevant for id in dict.fromkeys(answer.passages)][:top_k]
    gain = sum(hit / log2(rank + 1) for rank, hit in enumerate(found, 1))
    best = sum(1 / log2(rank + 1) for rank in range(1, min(top_k, len(set(example.relevant))) + 1))
    return gain / best
