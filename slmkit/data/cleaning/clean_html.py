"""Extracts text from HTML: removes tags, decodes entities and normalises whitespace."""

from __future__ import annotations

import html
import re

from slmkit.data.document_text import html_to_text

_TAG = re.compile(
    r"</?(?:p|div|br|span|b|i|em|strong|a|ul|ol|li|h[1-6]|table|tr|td|th|code|pre|font|img)\b[^<>]*>", re.I
)
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{2,6}|#x[0-9a-f]{2,5});", re.I)
_SPACES = re.compile(r"[ \t\u00a0]+")


def clean_html(text: str) -> str:
    """The visible text. Only HTML tags are removed, so that "a < b" and code such as <T> stay.

    Example: "Fish &amp; chips<br>today" -> "Fish & chips\\ntoday". Doubly escaped entities are decoded twice.
    """
    if _TAG.search(text):
        text = html_to_text(text)
    for _ in range(2):
        if not _ENTITY.search(text):
            break
        text = html.unescape(text)
    return "\n".join(_SPACES.sub(" ", line).strip() for line in text.split("\n")).strip()
