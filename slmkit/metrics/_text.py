"""What several metrics do to a text before they compare it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any

_MOST_STARTS = 20  # brackets tried as the beginning of the JSON: an answer of brackets only must not take minutes


def normalised(text: str) -> str:
    """The text in one case and spacing, without quotes around it or punctuation after it: " 'Oak.' " -> "oak"."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.split()).strip("\"'`“”‘’*").rstrip(".,;:!?").strip("\"'`“”‘’* ")


def read_json(text: str) -> Any | None:
    """The first JSON object or array in the text, or None."""
    decoder = json.JSONDecoder()
    starts = (start for start, char in enumerate(text) if char in "{[")
    for start in islice(starts, _MOST_STARTS):
        try:
            return decoder.raw_decode(text, start)[0]
        except (json.JSONDecodeError, RecursionError):
            continue
    return None


def fields_of(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """("city", "oslo"), ("legs[].to", "rome"): list items share a path, so their order is free; None: nothing."""
    if value is None and not path:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from fields_of(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner, f"{path}[]")
    else:
        yield path, normalised(value if isinstance(value, str) else json.dumps(value))
