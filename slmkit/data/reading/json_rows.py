"""The rows of a .json file, each with the line it begins on.

[{"text": ...}, ...]                      one row per object
{"PlayMusic": [{"data": ...}, ...]}       one row per object, with the key in the column "section"
{"train": [["book a table", "book"]]}     list items become the columns "0", "1", …; a bare value the column "value"
{"text": ...} \\n {"text": ...}            consecutive objects, as in a JSONL file
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slmkit.data.reading.encoding import Encoding
from slmkit.errors import SlmkitError

_SPACE = re.compile(r"\s*")
_WRAPPERS = ("data", "rows", "examples", "items", "train")  # keys whose only purpose is to contain the list of rows


def json_rows(file: Path, encoding: Encoding) -> Iterator[tuple[dict[str, Any], int]]:
    """Each row's values and line. The whole text is in memory: JSON cannot be read row by row."""
    text = file.read_text(encoding=encoding.name, errors=encoding.errors)
    walk = _Walk(text, file)
    walk.skip()
    if walk.peek() == "[":
        for value, line in walk.elements():
            yield _as_row(value), line
        walk.end()
        return
    first = walk.value(json.JSONDecoder())  # keeps one of two sections with the same name; both are read below
    if not isinstance(first, dict):
        raise walk.fault("expected a JSON list or object", "write a list of objects: [{...}, {...}]")
    wrapper = next((key for key in _WRAPPERS if isinstance(first.get(key), list)), None)
    sections = all(isinstance(value, list) for value in first.values())
    if walk.skip() or not (wrapper or sections):
        yield from _Walk(text, file).objects()
        return
    for key, value, line in _Walk(text, file).sections():
        if (sections and len(first) > 1) or not wrapper:
            yield {"section": key, **_as_row(value)}, line
        elif key == wrapper:
            yield _as_row(value), line


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs. A repeated key is refused, because one of its values would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice in one object")
    return found


def _as_row(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(i): part for i, part in enumerate(value)}
    return {"value": value}


class _Walk:
    """A position in a JSON text, with its line number."""

    def __init__(self, text: str, file: Path) -> None:
        self.text, self.file, self.at, self.line = text, file, 0, 1
        self._decoder = json.JSONDecoder(object_pairs_hook=unique_keys)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def skip(self) -> bool:
        """Skips whitespace; False at the end of the text."""
        match = _SPACE.match(self.text, self.at)
        assert match is not None
        self._move(match.end())
        return self.at < len(self.text)

    def value(self, decoder: json.JSONDecoder | None = None) -> Any:
        try:
            value, end = (decoder or self._decoder).raw_decode(self.text, self.at)
        except RecursionError:
            raise self.fault("JSON is nested too deeply", "write one object per row") from None
        except json.JSONDecodeError as error:
            self.line += self.text.count("\n", self.at, error.pos)
            raise self.fault(f"not valid JSON: {error.msg}", "fix this line, or export the file again") from None
        except ValueError as error:
            raise self.fault(str(error), "remove one of them") from None
        self._move(end)
        return value

    def objects(self) -> Iterator[tuple[dict[str, Any], int]]:
        """The objects up to the end of the text, each with its line."""
        while self.skip():
            line, value = self.line, self.value()
            if not isinstance(value, dict):
                raise self.fault("expected a JSON object", "write one JSON object per line")
            yield value, line

    def elements(self) -> Iterator[tuple[Any, int]]:
        """The items of the list that begins here, each with its line."""
        self._take("[")
        while self.skip() and self.peek() != "]":
            line = self.line
            yield self.value(), line
            self._comma("]")
        self._take("]")

    def sections(self) -> Iterator[tuple[str, Any, int]]:
        """(key, element, line) for each list of the object that begins here."""
        self.skip()
        self._take("{")
        while self.skip() and self.peek() != "}":
            key = self.value()
            self._take(":")
            self.skip()
            if self.peek() == "[":
                for value, line in self.elements():
                    yield key, value, line
            else:
                self.value()
            self._comma("}")
        self._take("}")

    def end(self) -> None:
        if self.skip():
            raise self.fault("text after the end of the list", "write one list, or one object per line")

    def fault(self, what: str, fix: str) -> SlmkitError:
        return SlmkitError(what, where=f"{self.file}:{self.line}", fix=fix)

    def _comma(self, closing: str) -> None:
        self.skip()
        if self.peek() != closing:
            self._take(",")

    def _take(self, character: str) -> None:
        self.skip()
        if self.peek() != character:
            found = repr(self.peek()) if self.peek() else "the end of the file"
            raise self.fault(f"not valid JSON: expected {character!r}, found {found}", "fix the file at this line")
        self._move(self.at + 1)

    def _move(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end
