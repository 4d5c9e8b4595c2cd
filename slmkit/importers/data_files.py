"""Finds the data files that another tool's config names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError


def find_rows(key: str, value: Any, *, folder: Path, dataset_dir: str) -> tuple[str | None, str]:
    """The local file or folder of the data, or None and the reason: several data sets, or one from the hub.

    `folder` is the config's. LLaMA-Factory's `dataset` is a name in dataset_dir/dataset_info.json.
    """
    datasets = value if isinstance(value, list) else [one.strip() for one in str(value).split(",")]
    names = [str(one.get("path", "")) if isinstance(one, Mapping) else str(one) for one in datasets]
    if len(names) > 1:
        return None, "slmkit reads one file or folder: join the data sets, then set data=FILE"
    registered = _registered(names[0], dataset_dir, folder) if key == "dataset" else None
    for candidate in filter(None, (registered, Path(names[0]), folder / names[0])):
        if candidate.exists():
            return candidate.as_posix(), ""
    return None, "not a local file: download it, then set data=FILE"


def _registered(name: str, dataset_dir: str, folder: Path) -> Path | None:
    for root in (Path(), folder):
        path = root / dataset_dir / "dataset_info.json"
        if not path.is_file():
            continue
        entry = _read_dataset_info(path).get(name)
        if isinstance(entry, dict) and "file_name" in entry:
            return path.with_name(str(entry["file_name"]))
    return None


def _read_dataset_info(path: Path) -> dict[str, Any]:
    """LLaMA-Factory's dataset_info.json, which maps names of data sets to files."""
    fix = 'it should map names to files: {"tickets": {"file_name": "tickets.json"}}'
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SlmkitError(f"not valid JSON: {error}", where=str(path), fix=fix) from None
    if not isinstance(found, dict):
        raise SlmkitError(f"expected a mapping, found {type(found).__name__}", where=str(path), fix=fix)
    return found
