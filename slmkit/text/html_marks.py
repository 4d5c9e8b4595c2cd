"""Recognises what HTML an export leaves in a text: tags around it, and entities.

"<p>Where is my card?</p>"    wrapped: all of it is inside tags
"Fish &amp; chips"            an entity
"What does <b> do?"           a text about HTML: its tags are part of what it says
"""

from __future__ import annotations

import html
import re

TAG = re.compile(
    r"</?(?:p|div|br|span|b|i|em|strong|a|ul|ol|li|h[1-6]|table|tr|td|th|code|pre|font|img)\b[^<>]*>", re.I
)
ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{2,6}|#x[0-9a-f]{2,5});", re.I)
_NAME = re.compile(r"\w+")
_VOID = ("br", "img")
_INLINE = ("span", "b", "i", "em", "strong", "a", "code", "font")


def without_entities(text: str) -> str:
    """The text with its entities decoded; doubly escaped ones are decoded twice."""
    for _ in range(2):
        if not ENTITY.search(text):
            break
        text = html.unescape(text)
    return text


def unwrapped(text: str) -> str:
    """The text as it is shown, if all of it is inside HTML tags; else only its entities are decoded.

    Example: "<p>Fish &amp; <b>chips</b></p>" -> " Fish & chips "; "<b>a</b> or <i>a</i>" is unchanged.
    """
    plain = without_entities(text)
    return without_tags(plain) if "<" in plain and _is_wrapped(plain) else plain


def without_tags(text: str) -> str:
    """The text without HTML tags; a block or a line break leaves a space."""
    return TAG.sub(lambda tag: "" if _name(tag[0]) in _INLINE else " ", text)


def _is_wrapped(text: str) -> bool:
    opened: list[str] = []
    end = 0
    for tag in TAG.finditer(text):
        name = _name(tag[0])
        if not opened and text[end : tag.start()].strip():
            return False
        end = tag.end()
        if tag[0][1] != "/" and name not in _VOID:
            opened.append(name)
        elif tag[0][1] == "/" and (not opened or opened.pop() != name):
            return False
    return end > 0 and not opened and not text[end:].strip()


def _name(tag: str) -> str:
    match = _NAME.search(tag)
    return match[0].lower() if match else ""
