"""Reads the text of one document: Markdown without front matter, HTML without tags."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from slmkit.data.reading.encoding import Encoding
from slmkit.data.reading.open_file import read_text, suffix_of

_FRONT_MATTER = re.compile(r"\A---\r?\n.*?\n---\r?\n", re.DOTALL)
_BLOCKS = frozenset(("p", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "br", "tr", "table", "section",
                     "article", "pre", "blockquote", "dt", "dd"))  # fmt: skip
_UNSEEN = frozenset(("script", "style", "head", "noscript", "template"))


def read_document(file: Path, encoding: Encoding) -> str:
    """The text of a document: HTML without tags, Markdown without front matter."""
    text = read_text(file, encoding)
    if suffix_of(file) in (".html", ".htm"):
        return html_to_text(text)
    if suffix_of(file) in (".md", ".markdown"):
        return markdown_to_text(text)
    return text


def markdown_to_text(text: str) -> str:
    """Markdown without its YAML front matter; the markup stays, because it is readable."""
    return _FRONT_MATTER.sub("", text)


def html_to_text(html: str) -> str:
    """The visible text of an HTML page, with a line break per block and entities decoded."""
    reader = _HtmlText()
    reader.feed(html)
    reader.close()
    lines = (re.sub(r"[ \t\r\n]+", " ", line).strip() for line in "".join(reader.parts).split("\0"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _HtmlText(HTMLParser):
    """Collects the visible text; a zero character marks the end of a block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.parts.append("\0")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.parts.append("\0")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)
