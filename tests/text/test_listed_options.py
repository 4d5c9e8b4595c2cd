"""Options listed by letter are found whatever their marks, and name their texts."""

import pytest

from slmkit.text.listed_options import listed_options


@pytest.mark.parametrize("lines", ["A. red\nB. blue", "A) red\nB) blue\n", "(A) red\n(B) blue", " A: red\n B: blue"])
def test_options_by_letter_are_found(lines):
    found = listed_options(f"Which colour is\nthe sky?\n\n{lines}")
    assert found.key == ("which colour is the sky", ("blue", "red"))
    assert [found.chosen(answer) for answer in ("B", "(a)", "blue", "Z")] == ["blue", "red", "blue", "Z"]


@pytest.mark.parametrize(
    "text", ["A. red\nB. blue", "Which?\n\nA. red", "Which?\nB. red\nA. blue", "Which? A. x B. y"]
)
def test_other_texts_list_no_options(text):
    assert listed_options(text) is None
