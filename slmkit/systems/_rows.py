"""Reads labelled rows, for training a classifier or for few-shot examples, from the train.jsonl of a prepared run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from slmkit.data.canonical_row import RowFault, conversation_of
from slmkit.data.chat_messages import clean_chat
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
                messages, tools = clean_chat(row)
                asked = conversation_of(messages)
                input = [message["content"] for message in asked if message["role"] == "user"][-1]
                target = answer_text(messages[len(asked)])
                id = str(row.get("id", number))
                rows.append(Example(id, input, target, messages=tuple(asked), tools=tuple(tools)))
            except (ValueError, IndexError) as error:
                fault = f": {error}" if isinstance(error, RowFault) else ""
                raise SlmkitError(
                    f"not a chat with a user and an assistant message{fault}",
                    where=f"{path}:{number}",
                    fix="write this file with the prepare stage",
                ) from None
    return rows


def conversation_texts(examples: Sequence[Example], rows: Sequence[Example]) -> list[str]:
    """The whole conversation of each example as one text, for systems that read no messages.

    Without system turns if those of `rows`, the training rows, do not differ: prepare may have written the instruction
    there, which questions of a gold set do not have.
    """
    instructions = {tuple(turn["content"] for turn in row.messages if turn["role"] == "system") for row in rows}
    hidden = "system" if len(instructions) == 1 else ""
    return [
        "\n\n".join(filter(None, (answer_text(turn) for turn in example.conversation if turn["role"] != hidden)))
        for example in examples
    ]
