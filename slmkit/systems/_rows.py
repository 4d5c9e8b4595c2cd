"""Reads labelled rows, for training a classifier or for few-shot examples, from the train.jsonl of a prepared run."""

from __future__ import annotations

import json
from pathlib import Path

from slmkit.data.canonical_row import conversation_of
from slmkit.errors import SlmkitError
from slmkit.text.tool_calls import answer_text
from slmkit.types import Example


def read_rows(folder: Path) -> list[Example]:
    """Each chat as an example: the input is its last user message, the target its last assistant message."""
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
                messages = row["messages"]
                asked = conversation_of(messages)
                input = [message["content"] for message in asked if message["role"] == "user"][-1]
                target = answer_text(messages[len(asked)])
                id, tools = str(row.get("id", number)), tuple(row.get("tools") or ())
                rows.append(Example(id, input, target, messages=tuple(asked), tools=tools))
            except (json.JSONDecodeError, KeyError, IndexError, TypeError):
                raise SlmkitError(
                    "not a chat with a user and an assistant message",
                    where=f"{path}:{number}",
                    fix="write this file with the prepare stage",
                ) from None
    return rows
