"""The value of a cell as text: what counts as empty, and how numbers, booleans and tables are written."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from slmkit.data.canonical_row import RowFault
from slmkit.data.reading.read import Row

_EXACT_INTEGERS = 2**53  # floats above this skip integers
_HEADERS, _LINES = ("header", "headers", "columns"), ("rows", "data", "cells")  # of a table that is an object


def text_in(row: Row, column: str) -> str:
    """The text in a column, stripped. Raises RowFault if there is none."""
    value = row.values.get(column)
    if is_empty(value):
        raise missing_value(row, column)
    if isinstance(value, list | dict):
        raise RowFault(f"{column} is a {'list' if isinstance(value, list) else 'record'}, not text")
    return as_text(value)


def missing_value(row: Row, column: str) -> RowFault:
    """The fault of a row without a value in this column."""
    return RowFault(f"empty {column}" if column in row.values else f"no {column}")


def is_empty(value: Any) -> bool:
    """Whether a cell has no value. 0 and false are values; NaN, white space and empty lists are not."""
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, list | dict) and not value)


def as_text(value: Any) -> str:
    """A value as text: 7 and 7.0 as "7", true as "true", lists and records as JSON."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_INTEGERS:
        return str(int(value))
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def as_prose(value: Any) -> str:
    """A value inside a prompt: as as_text, but a table as lines of cells, and a list of texts as lines.

    Example: {"header": ["City", "Year"], "rows": [["Ulm", 1890]]} -> "City | Year\\nUlm | 1890".
    """
    if is_empty(value):
        return ""
    if lines := _table(value):
        return "\n".join(" | ".join(" ".join(as_text(cell).split()) for cell in line) for line in lines)
    if isinstance(value, list) and not any(isinstance(part, list | dict) for part in value):
        return "\n".join(map(as_text, value))
    return as_text(value)


def is_table(value: Any) -> bool:
    """Whether a value is a table: a list of lists of cells, or an object with its header and rows."""
    return bool(_table(value))


def _table(value: Any) -> Sequence[Sequence[Any]]:
    if isinstance(value, dict):
        header: Any = next((value[name] for name in _HEADERS if name in value), None)
        lines = next((value[name] for name in _LINES if name in value), None)
        return [header, *lines] if _is_cells(header) and isinstance(lines, list) and all(map(_is_cells, lines)) else []
    return value if isinstance(value, list) and value and all(map(_is_cells, value)) else []


def _is_cells(line: Any) -> bool:
    return isinstance(line, list) and bool(line) and not any(isinstance(cell, list | dict) for cell in line)
