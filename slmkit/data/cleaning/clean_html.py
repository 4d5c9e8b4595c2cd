"""Extracts text from HTML: all visible text of a fragment, or the main text of a whole page."""

from __future__ import annotations

import html
import re

from slmkit.data.reading.document_text import html_to_text

_TAG = re.compile(
    r"</?(?:p|div|br|span|b|i|em|strong|a|ul|ol|li|h[1-6]|table|tr|td|th|code|pre|font|img)\b[^<>]*>", re.I
)
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{2,6}|#x[0-9a-f]{2,5});", re.I)
_PAGE = re.compile(r"<(?:html|body)\b", re.I)
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


def main_text(text: str) -> str:
    """The main text of an HTML page without menus, sidebars and footers; other text as clean_html returns it.

    Uses trafilatura (Barbaresi 2021, https://doi.org/10.18653/v1/2021.acl-demo.15).
    """
    if not _PAGE.search(text):
        return clean_html(text)
    import trafilatura

    return trafilatura.extract(text, include_comments=False) or clean_html(text)
