"""What this machine has, without importing torch: memory, and models that need no download."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from slmkit.selection.data_needs import Tokens
from slmkit.selection.model_card import Card


def machine_memory() -> tuple[float, bool]:
    """(GB, is_gpu): the memory of the first GPU or, without a GPU, the free memory of this machine."""
    command = shutil.which("nvidia-smi")
    if command:
        query = [command, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=5, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return float(done.stdout.split()[0]) * 2**20 / 1e9, True
    import psutil

    return psutil.virtual_memory().available / 1e9, False


def machine() -> str:
    """The processor that models run on, since measured speed and memory depend on it."""
    memory_gb, on_gpu = machine_memory()
    if on_gpu:
        return f"GPU of {memory_gb:.0f} GB"
    return f"{os.cpu_count()} x {platform.processor() or platform.machine()}"


def is_here(card: Card) -> bool:
    """Whether the model loads without a download: it is bundled, or complete in the hub cache."""
    if card.folder:
        return True
    if not all(_cached(card, file) for file in ("config.json", "tokenizer.json")):
        return False
    index = _cached(card, "model.safetensors.index.json")  # for weights in several files
    files = set(json.loads(index.read_text("utf-8"))["weight_map"].values()) if index else {"model.safetensors"}
    return all(_cached(card, file) for file in files)


def revision(card: Card) -> str:
    """The version of the model on this machine: the hub commit, or a hash of the files of a bundled model."""
    if card.folder is None:
        config = _cached(card, "config.json")  # …/snapshots/<commit>/config.json
        return config.parent.name if config else "not here"
    digest = hashlib.sha256()
    for path in sorted(card.folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def tokenizer_file(card: Card) -> Path | None:
    """The model's tokenizer.json on this machine; None if there is none."""
    return card.folder / "tokenizer.json" if card.folder else _cached(card, "tokenizer.json")


def token_counter(path: Path) -> Tokens:
    """A function that counts tokens with a tokenizer.json."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return lambda texts: [len(encoded.ids) for encoded in tokenizer.encode_batch(list(texts))]


def _cached(card: Card, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(str(card.hub_id), file)
    return Path(found) if isinstance(found, str) else None
