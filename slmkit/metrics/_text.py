"""What several metrics do to a text before they compare it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_MOST_FAILED = 20  # brackets that begin no JSON: an answer of brackets only must not take minutes
_CITATION = re.compile(r"(?:(?<=[^\s:=`])|(?<=[^\s:=`] ))\[\d+\]|\[\d+\](?= ?[\w:\[])")


def normalised(text: str) -> str:
    """The text in one case and spacing, without quotes around it or punctuation after it: " 'Oak.' " -> "oak"."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.split()).strip("\"'`“”‘’*").rstrip(".,;:!?").strip("\"'`“”‘’* ")


def read_json(text: str) -> Any | None:
    """The first JSON object or array in the text, or None; a list of mere numbers only where there is nothing else.

    A number in brackets beside a word, as in "source [1] says", cites a source and is no array.
    """
    decoder = json.JSONDecoder()
    numbers, end, failed = None, 0, 0
    for bracket in re.finditer(r"[{\[]", text):
        start = bracket.start()
        if start < end or _CITATION.match(text, start):
            continue
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # a number of over 4,300 digits is a ValueError
            failed += 1
            if failed == _MOST_FAILED:
                break
            continue
        if not (isinstance(value, list) and all(isinstance(item, int | float) for item in value)):
            return value
        numbers = value if numbers is None else numbers
    return numbers


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
