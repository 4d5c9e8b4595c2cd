"""The snapshot of a hub model on this machine, found without the network.

A model whose files are all here is never asked for on the hub again: without a network, libraries retry for minutes.
"""

from __future__ import annotations

import json
from pathlib import Path

_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "adapter_model.safetensors", "adapter_model.bin")
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")  # of weights in several files
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


def hub_snapshot(repo_id: str, *, weights: bool = True) -> Path | None:
    """The folder of the newest downloaded revision of a model, if it is complete; with weights=False, its tokenizer.

    Complete: config, tokenizer, and every file that the index of the weights names; of an adapter, its weights.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    repository = Path(HF_HUB_CACHE) / f"models--{repo_id.replace('/', '--')}"
    try:
        folder = repository / "snapshots" / (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    is_adapter = (folder / "adapter_config.json").is_file()
    has_tokenizer = (folder / "tokenizer_config.json").is_file() and _has_one(folder, _VOCABULARIES)
    if not has_tokenizer and not is_adapter:
        return None
    if not weights:
        return folder if has_tokenizer else None
    has_config = is_adapter or (folder / "config.json").is_file()
    return folder if has_config and _has_weights(folder) else None


def _has_weights(folder: Path) -> bool:
    for name in _INDEXES:
        if (folder / name).is_file():
            shards = set(json.loads((folder / name).read_text(encoding="utf-8"))["weight_map"].values())
            return all((folder / shard).is_file() for shard in shards)
    return _has_one(folder, _WEIGHTS)


def _has_one(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).is_file() for name in names)
