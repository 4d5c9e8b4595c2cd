"""Decides whether two texts are equal: case, punctuation and whitespace are ignored."""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata

_ASCII_MARKS = dict.fromkeys(map(ord, string.punctuation))
_MARKS = re.compile(r"[^\w\s]+|_")


def normalise(text: str) -> str:
    """The text in lower case, without punctuation, with single spaces: two texts are equal if this form is.

    Example: "Where's my  CARD?" -> "wheres my card". A text of punctuation only is unchanged: "?!" -> "?!".
    """
    if text.isascii():  # same result, ten times as fast
        plain = text.translate(_ASCII_MARKS).lower()
    else:
        plain = _MARKS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(plain.split()) or " ".join(text.split())


def text_hash(*texts: str) -> str:
    """16 hex digits that are the same for equal texts, on every machine."""
    return hashlib.sha256("\x1f".join(normalise(text) for text in texts).encode()).hexdigest()[:16]
