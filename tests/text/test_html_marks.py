"""HTML around a text is not part of the question; HTML that a question is about is."""

import pytest

from slmkit.text.html_marks import unwrapped
from slmkit.text.identity import loose


@pytest.mark.parametrize(
    "text",
    [
        "<p>Where is my <b>card</b>?</p>",
        '<div class="q"><p>Where is my card?</p><p></p></div>',
        "&lt;p&gt;Where is my card?&lt;/p&gt;",
        "Where&nbsp;is my card&#63;",
        "<P>Where is<br>my card?</P>\n",
    ],
)
def test_tags_around_a_text_and_entities_are_ignored(text):
    assert loose(text) == "where is my card"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("What does <b> do?", "What does <i> do?"),
        ("<b>a</b> or <i>a</i>?", "<i>a</i> or <b>a</b>?"),
        ("What does <p>this</p> show?", "What does <b>this</b> show?"),
        ("<p></p> vs <div></div>", "<b></b> vs <i></i>"),
        ("<p>open", "<div>open"),
        ("x < 3", "x > 3"),
        ("&amp; is", "&lt; is"),
    ],
)
def test_a_question_about_html_keeps_its_tags(text, other):
    assert loose(text) != loose(other)


def test_a_text_without_html_is_unchanged():
    assert unwrapped("R&D; a <T> & b") == "R&D; a <T> & b"
