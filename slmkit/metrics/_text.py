"""Normalises texts and reads JSON from them, before metrics compare them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_MAX_FAILURES = 20  # opening brackets without JSON: an answer of nothing but brackets must not take minutes
_CITATION = re.compile(r"(?:(?<=[^\s:=`])|(?<=[^\s:=`] ))\[\d+\]|\[\d+\](?= ?[\w:\[])")


def normalised(text: str) -> str:
    """The text in lower case, single-spaced, without outer quotes and final punctuation: " 'Oak.' " -> "oak"."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.split()).strip("\"'`“”‘’*").rstrip(".,;:!?").strip("\"'`“”‘’* ")


def read_json(text: str) -> Any | None:
    """The first JSON object or array in the text, or None; a list of only numbers is taken if there is nothing else.

    A number in brackets next to a word, as in "source [1] says", is a citation and not an array.
    """
    decoder = json.JSONDecoder()
    numbers, end, failed = None, 0, 0
    for bracket in re.finditer(r"[{\[]", text):
        start = bracket.start()
        if start < end or _CITATION.match(text, start):
            continue
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # ValueError: invalid JSON, or a number of over 4,300 digits
            failed += 1
            if failed == _MAX_FAILURES:
                break
            continue
        if not (isinstance(value, list) and all(isinstance(item, int | float) for item in value)):
            return value
        numbers = value if numbers is None else numbers
    return numbers


def fields_of(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of path and value, such as ("city", "oslo") and ("legs[].to", "rome"): list items share a path."""
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
