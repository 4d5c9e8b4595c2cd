"""Removes HTML tags and marks of Markdown from a text, for comparison."""

from __future__ import annotations

from slmkit.text.html_marks import TAG, without_tags
from slmkit.text.markdown_marks import has_marks, without_marks_inside


def has_markup(text: str) -> bool:
    """Whether the text may have HTML tags or marks of Markdown; fast."""
    return "<" in text or has_marks(text)


def without_markup(text: str) -> str:
    """The text without HTML tags, marks of emphasis, and marks of Markdown at the start of its lines."""
    if "<" in text and TAG.search(text):
        text = without_tags(text)
    return without_marks_inside(text) if has_marks(text) else text
