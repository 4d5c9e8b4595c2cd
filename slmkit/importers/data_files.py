"""The rows that another tool's config names, where they are a file or folder here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError


def find_rows(key: str, value: Any, *, folder: Path, dataset_dir: str) -> tuple[str | None, str]:
    """The one local file or folder that is named, or None and the reason: several sets, or a set of the hub.

    `folder` is where the config lies. LLaMA-Factory's `dataset` is a name in dataset_dir/dataset_info.json.
    """
    sets = value if isinstance(value, list) else [one.strip() for one in str(value).split(",")]
    named = [str(one.get("path", "")) if isinstance(one, Mapping) else str(one) for one in sets]
    if len(named) > 1:
        return None, "one file or folder of rows: join the sets, then data=FILE"
    registered = _registered(named[0], dataset_dir, folder) if key == "dataset" else None
    for candidate in filter(None, (registered, Path(named[0]), folder / named[0])):
        if candidate.exists():
            return candidate.as_posix(), ""
    return None, "not a file here: download it, then data=FILE"


def _registered(name: str, dataset_dir: str, folder: Path) -> Path | None:
    for root in (Path(), folder):
        path = root / dataset_dir / "dataset_info.json"
        if not path.is_file():
            continue
        row = _read_register(path).get(name)
        if isinstance(row, dict) and "file_name" in row:
            return path.with_name(str(row["file_name"]))
    return None


def _read_register(path: Path) -> dict[str, Any]:
    """LLaMA-Factory's dataset_info.json: the name of each set, and how it is read."""
    fix = 'it maps names to files: {"tickets": {"file_name": "tickets.json"}}'
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SlmkitError(f"not valid JSON: {error}", where=str(path), fix=fix) from None
    if not isinstance(found, dict):
        raise SlmkitError(f"a mapping was expected, found {type(found).__name__}", where=str(path), fix=fix)
    return found
