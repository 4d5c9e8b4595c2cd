"""What this machine has, without importing torch: memory, and models that need no download."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

from slmkit.models.convert_gguf import converted_folder
from slmkit.selection.data_needs import Tokens
from slmkit.selection.model_card import Card
from slmkit.types import ModelRef
from slmkit.weights.hub_snapshot import hub_snapshot
from slmkit.weights.models_cache import file_sha256
from slmkit.weights.packaged_model import packaged_file


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
    """Whether the model loads without a download: it is bundled, packaged, or complete in the hub cache."""
    return card.folder is not None or _snapshot(card) is not None or _packaged(card) is not None


def model_ref(card: Card) -> ModelRef:
    """The model of a card: bundled, the hub's if it is here, otherwise packaged, otherwise the hub's to download."""
    file = None if card.folder or _snapshot(card) else _packaged(card)
    return ModelRef(card.name, str(card.folder or file or card.hub_id))


def revision(card: Card) -> str:
    """The version of the model on this machine: the hub commit, or a hash of the files of any other."""
    if card.folder is None:
        if snapshot := _snapshot(card):
            return snapshot.name
        file = _packaged(card)
        return file_sha256(file)[:12] if file else "not here"
    digest = hashlib.sha256()
    for path in sorted(card.folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def tokenizer_file(card: Card) -> Path | None:
    """The model's tokenizer.json on this machine; None if there is none."""
    folder = card.folder or (hub_snapshot(card.hub_id, weights=False) if card.hub_id else None)
    if folder is None and (file := _packaged(card)):
        folder = converted_folder(file)
    path = folder / "tokenizer.json" if folder else None
    return path if path and path.is_file() else None


def token_counter(path: Path) -> Tokens:
    """A function that counts tokens with a tokenizer.json."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return lambda texts: [len(encoded.ids) for encoded in tokenizer.encode_batch(list(texts))]


def _snapshot(card: Card) -> Path | None:
    return hub_snapshot(card.hub_id) if card.hub_id else None


def _packaged(card: Card) -> Path | None:
    return packaged_file(card.package) if card.package else None
