"""Finds how the rows are laid out in a JSON object, and takes them out: columns, rows keyed by id, tables of pandas.

{"text": ["a", "b"], "label": ["x", "y"]}               columns
{"text": {"0": "a"}, "label": {"0": "x"}}               columns keyed by row, as pandas writes them
{"columns": ["text"], "index": [0], "data": [["a"]]}    pandas, orient=split
{"q1": {"text": "a"}, "q2": {"text": "b"}}              rows by id; the key becomes the column "id"
{"q1": "a", "q2": "b"}                                  the same with bare values, in the column "value"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from slmkit.data.reading.column_names import ROW_LISTS, usual
from slmkit.data.reading.split_names import split_named
from slmkit.errors import counted

WRAPPERS = ("data", "rows", "examples", "items", "train")  # keys whose only purpose is to contain the rows

_CONTAINERS = ("sections", "columns", "keyed columns", "split table", "parts")

Kind = Literal["row", "sections", "columns", "keyed columns", "split table", "by id", "parts"]


@dataclass(frozen=True)
class Layout:
    """How the rows are laid out in an object: for sections, under which keys. `unread`: the keys without rows."""

    kind: Kind
    keys: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def layout_of(value: Mapping[str, Any]) -> Layout:
    """The layout of an object that is alone in its file; "row" if the object is a row itself."""
    if _is_split_table(value):
        return Layout("split table")
    lists = {key: found for key, found in value.items() if isinstance(found, list)}
    records = {key: found for key, found in value.items() if isinstance(found, dict)}
    known = usual(value)
    if not known and not lists and (parts := _parts(records)):
        return Layout("parts", parts, tuple(key for key in records if key not in parts))
    if len(records) == len(value) == 1 and layout_of(inner := next(iter(records.values()))).kind in _CONTAINERS:
        return Layout("parts", tuple(records)) if inner else Layout("row")
    is_one_column = len(value) == 1 and bool(known) and not isinstance(_first(lists), dict)
    if len(lists) == len(value) and (len(known) >= 2 or is_one_column):
        return Layout("columns")
    if len(records) == len(value) and records:
        return Layout(_kind_of_records(records))
    if lists and not (set(known) - set(lists)) and not (len(lists) == 1 and set(lists) & ROW_LISTS):
        return _list_layout(lists, records)
    if len(value) > 1 and not known and all(isinstance(found, str) for found in value.values()):
        return Layout("by id")
    return Layout("row")


def object_rows(value: Mapping[str, Any], layout: Layout) -> Iterator[dict[str, Any]]:
    """The rows of an object in any layout but sections. Raises: ValueError for columns of different lengths."""
    if layout.kind == "parts":
        for key in layout.keys:
            inner = layout_of(value[key]) if isinstance(value[key], dict) else None
            section = {} if len(layout.keys) == 1 else {"section": key}
            rows = object_rows(value[key], inner) if inner else map(as_row, value[key])
            yield from ({**section, **row} for row in rows)
    elif layout.kind == "sections":
        for key in layout.keys:
            yield from ({**_section(key, layout), **as_row(item)} for item in value[key])
    elif layout.kind == "split table":
        for cells in value["data"]:
            yield dict(zip(value["columns"], cells, strict=True))
    elif layout.kind == "columns":
        sizes = {key: len(items) for key, items in value.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(
                "the columns have different lengths: " + ", ".join(f"{k} {n:,}" for k, n in sizes.items())
            )
        for cells in zip(*value.values(), strict=True):
            yield dict(zip(value, cells, strict=True))
    elif layout.kind == "keyed columns":
        for key in dict.fromkeys(key for column in value.values() for key in column):
            yield _with_id(key, {name: column.get(key) for name, column in value.items()})
    elif layout.kind == "by id":
        for key, item in value.items():
            yield _with_id(key, as_row(item))
    else:
        yield dict(value)


def layout_note(layout: Layout, num_rows: int) -> str:
    """How the object was read, for the user; "" for the layouts that need no explanation."""
    unread = f"; not read: {', '.join(layout.unread[:6])}" if layout.unread else ""
    rows = counted(num_rows, "row")
    said = {
        "columns": f"an object of columns, read as {rows}",
        "keyed columns": f"an object of columns, read as {rows}; their keys are in the column 'id'",
        "split table": f"a table with separate column names, read as {rows}",
        "by id": f"an object keyed by id, read as {rows}; the keys are in the column 'id'",
        "parts": f"rows inside {', '.join(map(repr, layout.keys[:6]))}, read as {rows}",
        "sections": "",
        "row": "",
    }[layout.kind]
    return said + unread if said else unread.removeprefix("; ")


def as_row(value: Any) -> dict[str, Any]:
    """An item as a row: an object as it is, a list as columns "0", "1", …, a bare value as the column "value"."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(i): part for i, part in enumerate(value)}
    return {"value": value}


def _section(key: str, layout: Layout) -> dict[str, str]:
    return {} if layout.keys == (key,) and key in WRAPPERS else {"section": key}


def _list_layout(lists: Mapping[str, list[Any]], records: Mapping[str, Any]) -> Layout:
    """Sections. Lists of bare values are not rows if others hold objects, and a wrapper's list comes before others."""
    rows = [key for key, found in lists.items() if isinstance(next(iter(found), None), dict | list)] or list(lists)
    if not all(split_named(key) for key in rows):
        rows = [key for key in rows if key in WRAPPERS] or rows
    unread = [key for key in (*lists, *records) if key not in rows]
    return Layout("sections", tuple(rows), tuple(unread))


def _parts(records: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of objects that contain rows again: splits, or a wrapper."""
    nested = [key for key, record in records.items() if any(isinstance(item, list | dict) for item in record.values())]
    return tuple(key for key in nested if split_named(key)) or tuple(key for key in nested if key in WRAPPERS)[:1]


def _kind_of_records(records: Mapping[str, Any]) -> Kind:
    """Columns keyed by row, or rows keyed by id: the usual column names are outside or inside."""
    inner = list(dict.fromkeys(key for record in records.values() for key in record))
    outside, inside = len(usual(records)), len(usual(inner))
    is_numbered = bool(inner) and all(key.isdigit() for key in inner) and not all(key.isdigit() for key in records)
    if (outside and not inside) or (is_numbered and not inside):
        return "keyed columns"
    return "by id"


def _is_split_table(value: Mapping[str, Any]) -> bool:
    names, cells = value.get("columns"), value.get("data")
    return (
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and len(set(names)) == len(names)
        and isinstance(cells, list)
        and all(isinstance(row, list) and len(row) == len(names) for row in cells)
    )


def _first(lists: Mapping[str, list[Any]]) -> Any:
    return next((item for found in lists.values() for item in found), None)


def _with_id(key: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row with its key as `id`, or as `key` if it already has an id."""
    if "id" not in row or str(row["id"]) == key:
        return {**row, "id": row.get("id", key)}
    return {**row, "key": key}
