"""The labelled rows that a system may learn from or show: the train.jsonl that the prepare stage wrote."""

from __future__ import annotations

import json
from pathlib import Path

from slmkit.errors import SlmkitError
from slmkit.types import Example


def read_rows(folder: Path) -> list[Example]:
    """Each chat of train.jsonl as input (the last user turn) and target (the assistant turn after it)."""
    path = folder / "train.jsonl" if folder.is_dir() else folder
    if not path.exists():
        raise SlmkitError(
            "there are no training rows", where=str(path), fix="name a prepare recipe or the folder of its run"
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
                    "not a chat with a user and an assistant turn",
                    where=f"{path}:{number}",
                    fix="let the prepare stage write this file",
                ) from None
    return rows
