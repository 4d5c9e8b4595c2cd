"""Checkpoints that are whole or absent, and a log that goes back with them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

PARTIAL = "partial"  # the folder in checkpoints/ where one is written; nobody reads it


def publish(partial: Path, best_step: int | None = None) -> None:
    """Moves checkpoints/partial/checkpoint-N to checkpoints/checkpoint-N; the older ones go, but that of best_step.

    A kill before the move leaves it where nobody reads; a kill after it leaves one checkpoint too many.
    """
    for file in partial.rglob("*"):
        if file.is_file():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
    folder = partial.parent.parent
    partial.rename(folder / partial.name)
    for other in folder.glob("checkpoint-*"):
        if other.name not in (partial.name, f"checkpoint-{best_step}"):
            shutil.rmtree(other)


def rewind_log(path: Path, checkpoint: Path | None, *, write: bool = True) -> list[dict[str, float]]:
    """The log up to the checkpoint's step, which is all that is left in the file; without a checkpoint, nothing.

    The steps after it are done again, and would stand twice in the curves.
    """
    if checkpoint is None and write:
        path.unlink(missing_ok=True)
    if checkpoint is None or not path.exists():
        return []
    step = int(checkpoint.name.rpartition("-")[2])
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # a last line without its end was cut off by a kill
    rows = [row for row in map(json.loads, filter(None, lines)) if row["step"] <= step]
    if not write:
        return rows
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    temporary.replace(path)
    return rows


def clear(folder: Path) -> None:
    """Deletes checkpoints that are no longer needed; absent ones are fine."""
    shutil.rmtree(folder, ignore_errors=True)
