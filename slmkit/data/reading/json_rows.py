"""The rows of a .json file, each with its number and line.

[{"text": ...}, ...]                      one row per object
{"PlayMusic": [{"data": ...}, ...]}       one row per object, with the key in the column "section"
{"train": [["book a table", "book"]]}     list items become the columns "0", "1", …; a bare value the column "value"
{"text": ...} \\n {"text": ...}            consecutive objects, as in a JSONL file
{"text": [...], "label": [...]}           columns, rows keyed by id, and tables of pandas: see json_layout.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slmkit.data.reading.encoding import Encoding
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.json_layout import WRAPPERS, Layout, as_row, layout_note, layout_of, object_rows
from slmkit.data.reading.json_values import JsonReader, nan_note
from slmkit.data.reading.json_walk import JsonWalk
from slmkit.data.reading.open_file import read_text
from slmkit.data.reading.place import Item


def json_rows(file: Path, encoding: Encoding, *, on_note: OnNote) -> Iterator[tuple[dict[str, Any], Item]]:
    """Each row and its place. The whole text is in memory: JSON cannot be read row by row."""
    text, reader = read_text(file, encoding), JsonReader()
    yield from _rows(text, file, reader, on_note)
    if reader.num_nan:
        on_note(nan_note(file.name, reader.num_nan))


def _rows(text: str, file: Path, reader: JsonReader, note: OnNote) -> Iterator[tuple[dict[str, Any], Item]]:
    walk = JsonWalk(text, file, reader)
    walk.skip()
    if walk.peek() == "[":
        for value, place in walk.elements():
            yield as_row(value), place
        walk.end()
        return
    first = walk.value(json.JSONDecoder())  # keeps one of two sections with the same name; both are read below
    if not isinstance(first, dict):
        raise walk.fault("expected a JSON list or object", "write a list of objects: [{...}, {...}]")
    layout = Layout("row") if walk.skip() else layout_of(first)
    walk = JsonWalk(text, file, reader)
    if layout.kind == "row":
        yield from walk.objects()
        return
    if layout.kind == "sections":
        if said := layout_note(layout, 0):
            note(f"{file.name}: {said}")
        is_wrapper = len(layout.keys) == 1 and layout.keys[0] in WRAPPERS
        for key, value, place in walk.sections(layout.keys):
            yield as_row(value) if is_wrapper else {"section": key, **as_row(value)}, place
        return
    walk.skip()
    value = walk.value()  # strictly, as a repeated key would lose a row or a column
    try:
        rows = list(object_rows(value, layout))
    except ValueError as error:
        raise walk.fault(str(error), "give each column one value per row, or write a list of objects") from None
    note(f"{file.name}: {layout_note(layout, len(rows))}")
    for number, row in enumerate(rows, 1):
        yield row, Item(number)
