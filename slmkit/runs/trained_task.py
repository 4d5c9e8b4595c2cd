"""The task that a run trained its model for: how its prompts began, and which labels it chooses from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from slmkit.errors import SlmkitError
from slmkit.files import read_jsonl
from slmkit.gold.gold_set import read_gold
from slmkit.runs.store import read_json
from slmkit.types import Task

_MOST_COMMON = 0.9  # of the training rows; an instruction that fewer begin with is not the task's


def trained_task(folder: Path) -> Task | None:
    """The task of a trained run, from its data: the gold set's, else the system turn of the training rows.

    None if the data are gone, or are no chats.
    """
    record = read_json(folder / "recipe.json") or {}
    data = _input(record, "data")
    if data is None:
        return None
    prepared = read_json(data / "recipe.json") or {}
    name, instruction = str(record.get("name", folder.name)), _instruction(data / "train.jsonl")
    gold = _input(prepared, "gold")
    try:
        if gold is not None and (gold / "card.yaml").exists():
            task = read_gold(gold).task
            return task if instruction is None else Task(name, task.kind, instruction, task.labels)
    except SlmkitError:  # a gold set that was changed since says nothing about the model
        pass
    return None if instruction is None else Task(name, "generation", instruction)


def _input(record: dict[str, object], parameter: str) -> Path | None:
    """The folder or file of an input of a run."""
    rows = record.get("inputs")
    for row in rows if isinstance(rows, list) else []:
        if row["parameter"] == parameter and (path := row.get("dir") or row.get("path")):
            return Path(path)
    return None


def _instruction(file: Path) -> str | None:
    """The system turn that most rows begin with, "" if most have none or their own; None without chats."""
    if not file.is_file():
        return None
    chats = [row["messages"] for row in read_jsonl(file) if row.get("messages")]
    if not chats:
        return None
    found = Counter(chat[0]["content"] if chat[0]["role"] == "system" else "" for chat in chats)
    instruction, number = found.most_common(1)[0]
    return instruction if number >= _MOST_COMMON * len(chats) else ""
