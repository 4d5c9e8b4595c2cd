"""Dense retrieval: passages and queries of similar meaning are close as vectors, even without a common word."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.retrievers._embedder import fit_embedder
from slmkit.types import Hit, Passage, Retriever


def dense(passages: Sequence[Passage], *, embedder: str = "lsa", batch_size: int = 64) -> Retriever:
    """Ranks passages by cosine similarity of their embedding with the query's.

    embedder: "lsa" (latent semantic analysis) is fitted on these passages in seconds and needs no network; "minilm" is
    an embedding model from a package (slmkit[dense]); any other value is a folder or hub id for sentence-transformers.
    Vectors (1, 0) and (0.6, 0.8) have similarity 0.6; passages with similarity 0 or below are never returned.
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
            self.vectors = self.embed(texts)  # (N, D), unit length

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k most similar passages of each query, best first, with similarity above 0."""
        if not queries or not self.passages:
            return [[] for _ in queries]
        scores = self.embed(queries) @ self.vectors.T  # (Q, N)
        order = (-scores).argsort(axis=1, kind="stable")[:, :top_k]
        return [
            [Hit(self.passages[i], float(row[i])) for i in best if row[i] > 0]
            for row, best in zip(scores, order, strict=True)
        ]
