"""Walks through a JSON text value by value, so that each item of a list has its number and line."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from slmkit.data.reading.json_values import JsonReader, check_characters
from slmkit.data.reading.place import Item
from slmkit.errors import SlmkitError

_SPACE = re.compile(r"[ \t\n\r]*")


class JsonWalk:
    """A position in a JSON text, with its line, and the number of items so far."""

    def __init__(self, text: str, file: Path, reader: JsonReader) -> None:
        self.text, self.file, self.at, self.line, self.num_items = text, file, 0, 1, 0
        self.has_lines = "\n" in text.rstrip()
        self._reader = reader
        self._escapes = "\\u" in text

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
            value, end = (decoder or self._reader.decoder).raw_decode(self.text, self.at)
            if self._escapes and decoder is None:
                check_characters(self.text[self.at : end], value)
        except RecursionError:
            raise self.fault("JSON is nested too deeply", "write one object per row") from None
        except json.JSONDecodeError as error:
            self.line += self.text.count("\n", self.at, error.pos)
            raise self.fault(f"not valid JSON: {error.msg}", "fix this line, or export the file again") from None
        except ValueError as error:
            raise self.fault(str(error), "correct this value, or export the file again") from None
        self._move(end)
        return value

    def place(self) -> Item:
        """The place of the next item."""
        self.num_items += 1
        item = Item(self.num_items)
        if self.has_lines:
            item.line = self.line
        return item

    def objects(self) -> Iterator[tuple[dict[str, Any], Item]]:
        """The objects up to the end of the text."""
        while self.skip():
            place = self.place()
            value = self.value()
            if not isinstance(value, dict):
                raise self.fault("expected a JSON object", "write one JSON object per line")
            yield value, place

    def elements(self) -> Iterator[tuple[Any, Item]]:
        """The items of the list that begins here."""
        self._take("[")
        while self.skip() and self.peek() != "]":
            place = self.place()
            yield self.value(), place
            self._comma("]")
        self._take("]")

    def sections(self, keys: Container[str]) -> Iterator[tuple[str, Any, Item]]:
        """(key, item, place) for the lists under these keys of the object that begins here."""
        self.skip()
        self._take("{")
        while self.skip() and self.peek() != "}":
            key = self.value()
            self._take(":")
            self.skip()
            if key in keys and self.peek() == "[":
                for value, place in self.elements():
                    yield key, value, place
            else:
                self.value()
            self._comma("}")
        self._take("}")

    def end(self) -> None:
        if self.skip():
            raise self.fault("text after the end of the list", "write one list, or one object per line")

    def fault(self, what: str, fix: str) -> SlmkitError:
        place = self.line if self.has_lines or not self.num_items else Item(self.num_items)
        return SlmkitError(what, where=f"{self.file}:{place}", fix=fix)

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
        if self.has_lines:
            self.line += self.text.count("\n", self.at, end)
        self.at = end
