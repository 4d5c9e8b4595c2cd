"""Hashes that identify a loaded model, so that a report shows which model made a score."""

from __future__ import annotations

import hashlib
from pathlib import Path

from slmkit.models.chat_template import template_hash
from slmkit.models.convert_gguf import describe_origin, read_origin
from slmkit.models.load import Loaded
from slmkit.models.model_folder import is_hub_id, model_folder, read_base
from slmkit.types import ModelRef

_WHOLE_FILE = 256 * 2**20  # bytes; of larger files, the first and last MiB and the size are hashed


def identity(loaded: Loaded) -> dict[str, str]:
    """Name, base, weights hash and origin or hub revision, chat template hash, dtype and device of the model."""
    folder = model_folder(loaded.ref)
    found = {"model": loaded.ref.name}
    if folder is None or is_hub_id(loaded.ref.path):
        found["revision"] = folder.name if folder else "unknown"  # …/snapshots/<commit>
    else:
        if (folder / "adapter_config.json").exists():
            found["base"] = _base_name(read_base(folder))
        found["weights"] = weights_hash(folder)
        if origin := read_origin(folder):
            found["origin"] = f"{describe_origin(origin)}, sha256 {origin['sha256'][:12]}"
    return found | {
        "template": template_hash(loaded.tokenizer.chat_template),
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "device": str(loaded.model.device),
    }


def weights_hash(folder: Path) -> str:
    """The first 12 hex digits of the sha256 of a folder's weight files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with open(path, "rb") as file:
            if size <= _WHOLE_FILE:
                digest.update(file.read())
            else:
                digest.update(file.read(2**20))
                file.seek(-(2**20), 2)
                digest.update(file.read())
    return digest.hexdigest()[:12]


def _base_name(ref: ModelRef) -> str:
    folder = model_folder(ref)
    if folder is None:
        return ref.name
    if is_hub_id(ref.path):
        return f"{ref.name} (revision {folder.name[:12]})"
    origin = read_origin(folder)
    return f"{ref.name} ({weights_hash(folder)}{f', {describe_origin(origin)}' if origin else ''})"
