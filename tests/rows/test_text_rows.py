"""Texts become rows without losing a token."""

from __future__ import annotations

import json

import pytest

from slmkit.errors import SlmkitError
from slmkit.rows.loss_mask import IGNORED
from slmkit.rows.text_rows import Text, holds_texts, label_texts, read_texts


@pytest.fixture
def tokenizer(nano):
    return nano.tokenizer


def test_every_token_but_the_first_carries_loss_exactly_once(tokenizer):
    text = Text("t", "train.jsonl:1", "the red cup is in the box and the boat is on the sea " * 5)
    whole = [*tokenizer(text.text)["input_ids"], tokenizer.eos_token_id]
    for max_length in (8, 9, 17, 1000):
        rows = label_texts(tokenizer, [text], max_length=max_length)
        assert all(len(row.input_ids) <= max_length and IGNORED not in row.labels for row in rows)
        assert [token for row in rows for token in row.input_ids[1:]] == whole[1:]
        assert len({row.id for row in rows}) == len(rows)


def test_chats_and_texts_are_distinguished(tmp_path):
    for name, row in (("chats", {"messages": []}), ("texts", {"text": "the cup"})):
        (tmp_path / name).write_text("\n" + json.dumps(row) + "\n")
    assert holds_texts(tmp_path / "texts") and not holds_texts(tmp_path / "chats")


@pytest.mark.parametrize("line", ['{"text": ""}', '{"txt": "a"}', "[1]"])
def test_a_row_without_text_is_reported_with_file_and_line(tmp_path, line):
    file = tmp_path / "train.jsonl"
    file.write_text('{"text": "a"}\n' + line + "\n")
    with pytest.raises(SlmkitError, match="text") as error:
        read_texts(file)
    assert error.value.where == "train.jsonl:2"
