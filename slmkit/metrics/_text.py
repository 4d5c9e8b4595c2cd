"""What several metrics do to a text before they compare it."""

from __future__ import annotations

import json
import unicodedata
from typing import Any


def normalised(text: str) -> str:
    """The text in one case and spacing, without quotes around it or punctuation after it: " 'Oak.' " -> "oak"."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.split()).strip("\"'`“”‘’*").rstrip(".,;:!?").strip("\"'`“”‘’* ")


def read_json(text: str) -> Any | None:
    """The first JSON object or array in the text, or None."""
    decoder = json.JSONDecoder()
    for start, char in enumerate(text):
        if char in "{[":
            try:
                return decoder.raw_decode(text, start)[0]
            except (json.JSONDecodeError, RecursionError):
                continue
    return None
