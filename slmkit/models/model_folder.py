"""Where a model's files are: of a folder, a run, a GGUF file or a hub snapshot; and the base model of an adapter."""

from __future__ import annotations

import json
import re
from pathlib import Path

from slmkit.files import PACKAGE
from slmkit.models.convert_gguf import converted_folder, gguf_in
from slmkit.types import ModelRef
from slmkit.weights.hub_snapshot import hub_snapshot

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def model_folder(ref: ModelRef) -> Path | None:
    """The local folder of the weights; None for a hub model that is not, or not completely, on this machine.

    ref.path is a folder (a run's has model/), a GGUF file or its folder (converted on first use), or a hub id.
    """
    path = Path(ref.path)
    if (path / "model").is_dir():
        return path / "model"
    if gguf := gguf_in(path):
        return converted_folder(gguf)
    if path.is_dir():
        return path
    return hub_snapshot(ref.path) if is_hub_id(ref.path) else None


def is_hub_id(path: str) -> bool:
    """Whether the path looks like owner/name on the hub: at most one slash, and no such path here."""
    return bool(_HUB_ID.fullmatch(path)) and not Path(path).exists()


def save_base(folder: Path, ref: ModelRef) -> None:
    """Writes base.json next to an adapter: its base model, with a relative path if that ships with the package."""
    path = ref.path
    if Path(path).exists():
        absolute = Path(path).resolve()
        inside = absolute.is_relative_to(PACKAGE.resolve())
        path = absolute.relative_to(PACKAGE.resolve()).as_posix() if inside else str(absolute)
    (folder / "base.json").write_text(json.dumps({"name": ref.name, "path": path}) + "\n", encoding="utf-8")


def read_base(folder: Path) -> ModelRef:
    """The base model of the adapter in this folder, from base.json, or from peft's file if it was made elsewhere."""
    if (folder / "base.json").exists():
        row = json.loads((folder / "base.json").read_text(encoding="utf-8"))
        name, path = row["name"], row["path"]
    else:
        name = path = json.loads((folder / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    embedded = PACKAGE / path
    return ModelRef(name, str(embedded) if embedded.is_dir() else path)
