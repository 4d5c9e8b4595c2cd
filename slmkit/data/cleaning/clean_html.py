"""Extracts text from HTML: all visible text of a fragment, or the main text of a whole page."""

from __future__ import annotations

import re

from slmkit.data.reading.document_text import html_to_text
from slmkit.text.html_marks import TAG, without_entities

_PAGE = re.compile(r"<(?:html|body)\b", re.I)
_SPACES = re.compile(r"[ \t\u00a0]+")


def clean_html(text: str) -> str:
    """The visible text. Only HTML tags are removed, so that "a < b" and code such as <T> stay.

    Example: "Fish &amp; chips<br>today" -> "Fish & chips\\ntoday". Doubly escaped entities are decoded twice.
    """
    if TAG.search(text):
        text = html_to_text(text)
    text = without_entities(text)
    return "\n".join(_SPACES.sub(" ", line).strip() for line in text.split("\n")).strip()


def main_text(text: str) -> str:
    """The main text of an HTML page without menus, sidebars and footers; other text as clean_html returns it.

    Uses trafilatura (Barbaresi 2021, https://doi.org/10.18653/v1/2021.acl-demo.15).
    """
    if not _PAGE.search(text):
        return clean_html(text)
    import trafilatura

    return trafilatura.extract(text, include_comments=False) or clean_html(text)
