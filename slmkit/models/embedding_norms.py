"""The norm of each token's embedding, read from a model's file without loading the model.

A special token that a base model never saw in training keeps its short initial vector.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slmkit.models.model_folder import model_folder
from slmkit.types import ModelRef

_NAMES = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight", "tok_embeddings.weight")
_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # safetensors to numpy, which has no bfloat16
_ROWS_AT_ONCE = 8192


def embedding_norms(model: ModelRef) -> list[float] | None:
    """The norm of each token's embedding, by token id; None if the weights are quantized or not on this disk."""
    folder = model_folder(model)
    for file in sorted(folder.glob("*.safetensors")) if folder else []:
        with open(file, "rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header: dict[str, Any] = json.loads(stream.read(size))
        for name, about in header.items():
            if name.endswith(_NAMES) and len(about["shape"]) == 2 and about["dtype"] in _TYPES:
                return _norms(file, 8 + size + about["data_offsets"][0], about["dtype"], about["shape"])
    return None


def _norms(file: Path, offset: int, dtype: str, shape: list[int]) -> list[float]:
    import numpy as np

    weights = np.memmap(file, dtype=_TYPES[dtype], mode="r", offset=offset, shape=(shape[0], shape[1]))  # (V, D)
    norms: list[float] = []
    for start in range(0, shape[0], _ROWS_AT_ONCE):
        rows = np.asarray(weights[start : start + _ROWS_AT_ONCE])
        if dtype == "BF16":  # the upper half of a float32
            rows = (rows.astype(np.uint32) << 16).view(np.float32)
        norms += np.linalg.norm(rows.astype(np.float32), axis=1).tolist()
    return norms
