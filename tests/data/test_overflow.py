"""Texts longer than max_length are split into large pieces, in scripts without spaces too."""

from pathlib import Path

import pytest

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.overflow import split_row


@pytest.mark.parametrize("sentence", ["The library opens at nine. ", "图书馆早上九点开门。", "ห้องสมุดเปิดเก้าโมงเช้า "])
def test_the_pieces_of_a_text_are_nearly_as_long_as_they_may_be(sentence):
    text = sentence * 50
    row = CanonicalRow({"text": text}, text, "", Path("a.txt"), 1)
    pieces = [piece.input for piece in split_row(row, 100, lambda values: len(values["text"]))]
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert max(map(len, pieces)) <= 100
    assert sum(map(len, pieces)) / len(pieces) > 50
