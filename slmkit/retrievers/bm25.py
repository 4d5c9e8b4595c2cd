"""BM25, the baseline that retrieval has to beat: words in common, rare ones counting more, by the bm25s library."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.types import Fraction, Hit, NonNegativeFloat, Passage, Retriever


def bm25(passages: Sequence[Passage], *, k1: NonNegativeFloat = 1.2, b: Fraction = 0.75) -> Retriever:
    """Ranks passages by the words they share with the query (BM25, in Lucene's form).

    k1: how soon repeating a word stops to help; b: how much long passages are held back. Both as in Lucene.
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
        """The top_k best passages of each query that share a word with it, best first."""
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
