"""A small handmade prepared run, for the systems that learn from one or show its rows; a tap on the chat model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slmkit.recipe import lookup
from slmkit.systems import _chat
from slmkit.types import ModelRef

ROWS = [
    ("i lost my card in the street", "card lost"),
    ("my card is gone, it was stolen", "card lost"),
    ("where is my card? i can not find it", "card lost"),
    ("i lost the new card", "card lost"),
    ("my top up did not work", "top up"),
    ("how do i top up my account", "top up"),
    ("the top up is still pending", "top up"),
    ("can i top up with cash", "top up"),
    ("close my account now", "close"),
    ("i want to close everything", "close"),
]


@pytest.fixture
def nano() -> ModelRef:
    import torch

    torch.set_num_threads(1)
    return ModelRef("nano", str(lookup.PACKAGE / "assets" / "nano"))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """The folder of a prepared run: train.jsonl and documents.jsonl."""
    folder = tmp_path / "prepared"
    folder.mkdir()
    chats = [
        {"id": f"r{i}", "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]}
        for i, (text, label) in enumerate(ROWS)
    ]
    passages = [{"id": f"p{i}", "text": f"{text}: {label}"} for i, (text, label) in enumerate(ROWS)]
    for name, rows in (("train", chats), ("documents", passages)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def chats(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, str]]]:
    """The chats that reach the model, in order; the model still answers them."""
    seen: list[list[dict[str, str]]] = []
    answer = _chat.ChatModel.answer

    def record(self, examples, chats, **options):
        seen.extend(chats)
        return answer(self, examples, chats, **options)

    monkeypatch.setattr(_chat.ChatModel, "answer", record)
    return seen
