"""Checkpoints that are complete or absent, and a log that is rewound together with them."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from slmkit.files import write_atomically

PARTIAL = "partial"  # the folder in checkpoints/ where a checkpoint is written; nothing reads it


def publish(partial: Path, best_step: int | None = None) -> None:
    """Moves checkpoints/partial/checkpoint-N to checkpoints/checkpoint-N; deletes older ones except best_step's.

    A kill before the move leaves it where nothing reads it; a kill after the move leaves one checkpoint too many.
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
    """The log up to the checkpoint's step; the rest is removed from the file. Without a checkpoint, all of it is.

    The steps after the checkpoint run again, and would appear twice in the curves.
    """
    if checkpoint is None and write:
        path.unlink(missing_ok=True)
    if checkpoint is None or not path.exists():
        return []
    step = int(checkpoint.name.rpartition("-")[2])
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # a kill may have cut off the last line
    rows = [row for row in map(json.loads, filter(None, lines)) if row["step"] <= step]
    if not write:
        return rows
    write_atomically(path, (json.dumps(row) + "\n" for row in rows))
    return rows


def newest_whole(checkpoint: Path | None, *, note: Callable[[str], None], write: bool = True) -> Path | None:
    """The newest readable checkpoint in this one's folder; damaged ones are noted and deleted."""
    folders = checkpoint.parent.glob("checkpoint-*") if checkpoint else ()
    by_step = {int(step): folder for folder in folders if (step := folder.name.rpartition("-")[2]).isdigit()}
    for _, folder in sorted(by_step.items(), reverse=True):
        damaged = next((file for file in sorted(folder.rglob("*")) if not _is_whole(file)), None)
        if damaged is None:
            return folder
        note(f"{folder.name} is damaged ({damaged.name} cannot be read): resuming from the checkpoint before it")
        if write:
            shutil.rmtree(folder)
    return None


def _is_whole(file: Path) -> bool:
    """Whether a file of weights or optimizer state has the length that its header gives."""
    if file.suffix == ".safetensors":
        with open(file, "rb") as handle:
            head = handle.read(8)
            length = int.from_bytes(head, "little")
            try:
                header = json.loads(handle.read(length)) if len(head) == 8 and length < file.stat().st_size else None
            except ValueError:
                return False
        if not isinstance(header, dict):
            return False
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return file.stat().st_size == 8 + length + max(ends, default=0)
    if file.suffix in (".pt", ".pth"):
        return zipfile.is_zipfile(file)
    return True


def clear(folder: Path) -> None:
    """Deletes a folder of checkpoints, if it exists."""
    shutil.rmtree(folder, ignore_errors=True)
