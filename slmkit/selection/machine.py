"""What this machine has, without importing torch: memory, and models that need no download."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from slmkit.models.convert_gguf import converted_folder, gguf_in
from slmkit.runs.fingerprint import content_hash
from slmkit.selection.data_needs import Tokens
from slmkit.selection.model_card import Card
from slmkit.types import ModelRef
from slmkit.weights.hub_snapshot import hub_snapshot
from slmkit.weights.models_cache import file_sha256
from slmkit.weights.packaged_model import packaged_file

_CGROUP = Path("/sys/fs/cgroup")  # of this container, if there is one with a limit


def machine_memory() -> tuple[float, bool]:
    """(GB, is_gpu): the free memory of the first GPU or, without a GPU, of this machine or container."""
    gpu = _gpu_memory("memory.free")
    if gpu is not None:
        return gpu, True
    import psutil

    return min(psutil.virtual_memory().available, _free_in_container()) / 1e9, False


def _gpu_memory(kind: str) -> float | None:
    """memory.free or memory.total of the first GPU in GB; None without a GPU."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, f"--query-gpu={kind}", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=5, check=False)
    found = done.stdout.split()
    return float(found[0]) * 2**20 / 1e9 if done.returncode == 0 and found and found[0].isdecimal() else None


def _free_in_container() -> float:
    """What the container's limit leaves, in bytes; cached files count as free, as psutil counts them."""
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)", (_CGROUP / "memory.stat").read_text(), re.MULTILINE)
        return float(limit) - float(used) + (float(cached[1]) if cached else 0) if limit != "max" else float("inf")
    except (OSError, ValueError):
        return float("inf")


def machine() -> str:
    """The processor that models run on, since measured speed and memory depend on it."""
    memory_gb = _gpu_memory("memory.total")
    if memory_gb is not None:
        return f"GPU of {memory_gb:.0f} GB"
    return f"{os.cpu_count()} x {platform.processor() or platform.machine()}"


def is_here(card: Card) -> bool:
    """Whether the model loads without a download: bundled, own, packaged, or complete in the hub cache."""
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
    if not card.is_bundled:
        return content_hash(card.folder, sample=True)[:12]
    digest = hashlib.sha256()
    for path in sorted(card.folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def tokenizer_file(card: Card) -> Path | None:
    """The model's tokenizer.json on this machine; None if there is none."""
    folder = card.folder or (hub_snapshot(card.hub_id, weights=False) if card.hub_id else None) or _packaged(card)
    if folder and (file := gguf_in(folder)):
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
