"""Reads labelled rows, for training a classifier or for few-shot examples, from the train.jsonl of a prepared run."""

from __future__ import annotations

import json
from pathlib import Path

from slmkit.errors import SlmkitError
from slmkit.types import Example


def read_rows(folder: Path) -> list[Example]:
    """Each chat as an example: its last user message is the input, its last assistant message the target."""
    path = folder / "train.jsonl" if folder.is_dir() else folder
    if not path.exists():
        raise SlmkitError(
            f"no {path.name} found", where=str(path), fix="use a prepare recipe or the folder of its run"
        )
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                user = [m["content"] for m in row["messages"] if m["role"] == "user"]
                assistant = [m["content"] for m in row["messages"] if m["role"] == "assistant"]
                rows.append(Example(str(row.get("id", number)), user[-1], assistant[-1]))
            except (json.JSONDecodeError, KeyError, IndexError, TypeError):
                raise SlmkitError(
                    "not a chat with a user and an assistant message",
                    where=f"{path}:{number}",
                    fix="write this file with the prepare stage",
                ) from None
    return rows
