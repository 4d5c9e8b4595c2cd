"""Decodes JSON strictly: a repeated key, Infinity and half a surrogate pair are refused; NaN is a missing value."""

from __future__ import annotations

import json
import re
from typing import Any

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # may be half of a surrogate pair


class JsonReader:
    """A strict decoder. It counts the NaN values that it read as null."""

    def __init__(self) -> None:
        self.num_nan = 0
        self.decoder = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=self._constant)

    def decode(self, text: str) -> Any:
        """The value of a whole text. Raises: ValueError."""
        value = self.decoder.decode(text)
        if "\\u" in text:
            check_characters(text, value)
        return value

    def _constant(self, name: str) -> None:
        """NaN, which Python and pandas write for a missing value; an Infinity is a fault in the data."""
        if name != "NaN":
            raise ValueError(f"{name} is not a JSON value; use a number, or null for a missing one")
        self.num_nan += 1


def check_characters(text: str, value: Any) -> None:
    """Refuses half a surrogate pair: it is not a character and cannot be written as UTF-8. Raises: ValueError."""
    if not _HALF_PAIR.search(text):
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise ValueError(f"{half} is half a surrogate pair, not a character") from None


def nan_note(name: str, count: int) -> str:
    """The note about NaN values."""
    return f"{name}: {count:,} {'value is' if count == 1 else 'values are'} NaN, read as missing"


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs. A repeated key is refused, because one of its values would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice in one object")
    return found
