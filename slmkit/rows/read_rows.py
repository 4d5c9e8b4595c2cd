"""Finds and reads the .jsonl files of training data; errors name the file and the line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from slmkit.errors import SlmkitError

R = TypeVar("R")


def train_file(path: Path) -> Path:
    """The train.jsonl of a folder, or the file itself."""
    file = path / "train.jsonl" if path.is_dir() else path
    if not file.exists():
        fix = "use the run of a prepare stage, a folder with a train.jsonl, or a .jsonl file"
        raise SlmkitError("train.jsonl not found", where=str(path), fix=fix)
    return file


def validation_file(path: Path) -> Path | None:
    """The validation.jsonl of a folder, if it has one with rows."""
    file = path / "validation.jsonl"
    return file if file.exists() and file.stat().st_size else None


def read_rows(path: Path, build: Callable[[Any, str], R], *, limit: int | None = None) -> list[R]:
    """The rows of a .jsonl file, each built from its JSON value and its place ("train.jsonl:3"); at most `limit`.

    Raises: SlmkitError for a line that is not JSON, and for a file without rows.
    """
    rows: list[R] = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if limit is not None and len(rows) >= limit:
                break
            if not line.strip():
                continue
            where = f"{path.name}:{number}"
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                fix = "write one JSON object per line"
                raise SlmkitError(f"not JSON: {error.msg}", where=f"{where}:{error.colno}", fix=fix) from None
            rows.append(build(value, where))
    if not rows:
        raise SlmkitError(f"{path.name} has no rows", where=str(path), fix="write one JSON object per line")
    return rows
