"""Retrieval by vectors: passages and queries that mean alike lie close, whatever their words."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.retrievers._embedder import fit_embedder
from slmkit.types import Hit, Passage, Retriever


def dense(passages: Sequence[Passage], *, embedder: str = "lsa", batch_size: int = 64) -> Retriever:
    """Ranks passages by the cosine of their vectors with the query's.

    embedder: "lsa" learns vectors from these passages alone, at once and without a network; "minilm" is a real
    embedding model that a package brings; else a folder or hub id that sentence-transformers loads.
    Source: Deerwester et al. 1990, https://doi.org/10.1002/(SICI)1097-4571(199009)41:6<391::AID-ASI1>3.0.CO;2-9 (LSA);
    Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084.
    """
    return _Dense(passages, embedder, batch_size)


class _Dense:
    def __init__(self, passages: Sequence[Passage], embedder: str, batch_size: int) -> None:
        self.passages = [passage for passage in passages if passage.text.strip()]
        if self.passages:
            texts = [passage.text for passage in self.passages]
            self.embed = fit_embedder(embedder, texts, batch_size=batch_size)
            self.vectors = self.embed(texts)  # (N, D), each of length 1

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k passages closest to each query, best first; none at a right angle to it."""
        if not queries or not self.passages:
            return [[] for _ in queries]
        scores = self.embed(queries) @ self.vectors.T  # (Q, N)
        order = (-scores).argsort(axis=1, kind="stable")[:, :top_k]
        return [
            [Hit(self.passages[i], float(row[i])) for i in best if row[i] > 0]
            for row, best in zip(scores, order, strict=True)
        ]
