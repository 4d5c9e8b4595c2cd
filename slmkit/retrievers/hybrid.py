"""Hybrid retrieval: two rankings merged, so that words find names and numbers and vectors find paraphrases."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.retrievers.bm25 import bm25
from slmkit.retrievers.dense import dense
from slmkit.types import Hit, Passage, PositiveInt, Retriever, RetrieverPart


def hybrid(
    passages: Sequence[Passage],
    *,
    first: RetrieverPart = bm25,
    second: RetrieverPart = dense,
    depth: PositiveInt = 50,
    rank_constant: PositiveInt = 60,
) -> Retriever:
    """Merges two retrievers by reciprocal rank fusion: the sum of 1 / (rank_constant + rank) over both rankings.

    Rank 1 in one and rank 3 in the other: 1/61 + 1/63 = 0.0323. depth: passages taken from each ranking.
    Source: Cormack, Clarke and Büttcher 2009, https://doi.org/10.1145/1571941.1572114, with their constant of 60.
    """
    return _Hybrid([first(passages), second(passages)], depth, rank_constant)


class _Hybrid:
    def __init__(self, retrievers: Sequence[Retriever], depth: int, rank_constant: int) -> None:
        self.retrievers, self.depth, self.rank_constant = retrievers, depth, rank_constant

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k passages of each query by merged score; ties keep the order of the first retriever."""
        found = [retriever.search(queries, top_k=max(top_k, self.depth)) for retriever in self.retrievers]
        return [self._merged([hits[i] for hits in found])[:top_k] for i in range(len(queries))]

    def _merged(self, rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
        scores: dict[Passage, float] = {}
        for hits in rankings:
            for rank, hit in enumerate(hits, 1):
                scores[hit.passage] = scores.get(hit.passage, 0.0) + 1 / (self.rank_constant + rank)
        return [Hit(passage, score) for passage, score in sorted(scores.items(), key=lambda item: -item[1])]
