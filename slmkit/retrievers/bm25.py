"""BM25, the baseline of retrieval: shared words, rare ones weighing more. Computed by the bm25s library."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.types import Fraction, Hit, NonNegativeFloat, Passage, Retriever


def bm25(passages: Sequence[Passage], *, k1: NonNegativeFloat = 1.2, b: Fraction = 0.75) -> Retriever:
    """Ranks passages by BM25 over the words they share with the query, in Lucene's variant.

    k1: how soon repetitions of a word stop adding to the score; b: penalty for long passages (0 none, 1 full).
    Defaults as in Lucene. English stop words are ignored.
    Example: passages "oak table" and "glass lamp", query "an oak" -> only the first, with a score above 0.
    Source: Robertson and Zaragoza 2009, https://doi.org/10.1561/1500000019; Lù 2024, https://arxiv.org/abs/2407.03618.
    """
    return _BM25(passages, k1=k1, b=b)


class _BM25:
    def __init__(self, passages: Sequence[Passage], *, k1: float, b: float) -> None:
        import bm25s

        self.passages = list(passages)
        self.index = bm25s.BM25(k1=k1, b=b, method="lucene")
        tokens = self._tokens([passage.text for passage in self.passages])
        self.has_words = any(tokens)
        if self.has_words:
            self.index.index(tokens, show_progress=False)

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The best passages that share a word with each query, at most top_k, best first."""
        top_k = min(top_k, len(self.passages))
        if not (queries and top_k and self.has_words):
            return [[] for _ in queries]
        found, scores = self.index.retrieve(self._tokens(queries), k=top_k, show_progress=False)
        return [
            [Hit(self.passages[i], float(score)) for i, score in zip(row, row_scores, strict=True) if score > 0]
            for row, row_scores in zip(found, scores, strict=True)
        ]

    def _tokens(self, texts: Sequence[str]) -> list[list[str]]:
        import bm25s

        tokens: list[list[str]] = bm25s.tokenize(
            list(texts), stopwords="en", token_pattern=r"(?u)\b\w+\b", return_ids=False, show_progress=False
        )
        return tokens
