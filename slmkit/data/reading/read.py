"""Reads files into rows that know their file and line: CSV, TSV, JSONL, JSON, Parquet, Arrow, Markdown, text, HTML.

    train.csv:3    {"text": "My card has not arrived.", "label": "card_arrival"}

Rows stream, except those of a .json file. What the columns mean is decided in shape.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.data.reading.csv_rows import csv_rows
from slmkit.data.reading.encoding import Encoding, find_encoding
from slmkit.data.reading.find_files import DOCUMENT_SUFFIXES, SUFFIXES, TABLE_SUFFIXES, OnNote, data_files
from slmkit.data.reading.json_rows import json_rows, unique_keys
from slmkit.errors import SlmkitError

_EXCERPT = 60  # characters of a line in an error message


@dataclass(frozen=True)
class Row:
    """One record of a file, and the line it begins on."""

    values: dict[str, Any]
    file: Path
    line: int  # from 1; in a Parquet file the record number

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def read_rows(path: Path, *, encoding: str = "auto", on_note: OnNote | None = None) -> Iterator[Row]:
    """The rows of a file, or of the data files of a folder, in order.

    A document (.md, .txt, .html) is one row {"path", "text"}. Raises: SlmkitError naming file and line.
    """
    note = on_note or (lambda text: None)
    for file in data_files(path, on_note=note):
        yield from _read_file(file, path if path.is_dir() else path.parent, encoding, note)


def _read_file(file: Path, root: Path, encoding: str, note: OnNote) -> Iterator[Row]:
    suffix = file.suffix.lower()
    if suffix not in (*TABLE_SUFFIXES, *DOCUMENT_SUFFIXES):
        what = f"cannot read {suffix} files" if suffix else "the file name has no suffix, so its format is unknown"
        raise SlmkitError(what, where=str(file), fix=f"supported file types: {SUFFIXES}")
    if file.stat().st_size == 0:
        raise SlmkitError("the file is empty", where=f"{file}:1", fix="use a file with at least one row of data")
    is_empty = True
    for values, line in _values(file, suffix, root, encoding, note):
        is_empty = False
        yield Row(values, file, line)
    if is_empty:
        raise SlmkitError("the file has no rows", where=f"{file}:1", fix="use a file with at least one row of data")


def _values(file: Path, suffix: str, root: Path, encoding: str, note: OnNote) -> Iterator[tuple[dict[str, Any], int]]:
    if suffix in (".parquet", ".arrow"):
        return _arrow_rows(file)
    found = find_encoding(file, encoding=encoding, on_note=note)
    if suffix in (".csv", ".tsv"):
        return csv_rows(file, found, on_note=note)
    if suffix in (".jsonl", ".ndjson"):
        return _jsonl_rows(file, found)
    if suffix == ".json":
        return json_rows(file, found)
    from slmkit.data.reading.document_text import read_document

    return iter([({"path": file.relative_to(root).as_posix(), "text": read_document(file, found)}, 1)])


def _jsonl_rows(file: Path, encoding: Encoding) -> Iterator[tuple[dict[str, Any], int]]:
    with open(file, encoding=encoding.name, errors=encoding.errors) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            excerpt = line.strip()[:_EXCERPT]
            try:
                values = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=unique_keys)
                if "\\ud" in line.lower():  # half a surrogate pair is not a character and cannot be written as UTF-8
                    json.dumps(values, ensure_ascii=False).encode()
            except (ValueError, RecursionError) as error:
                why = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
                raise SlmkitError(
                    f"not valid JSON ({why}): {excerpt!r}",
                    where=f"{file}:{number}",
                    fix="write one complete JSON object per line",
                ) from None
            if not isinstance(values, dict):
                raise SlmkitError(
                    f"expected a JSON object, found {type(values).__name__}: {excerpt!r}",
                    where=f"{file}:{number}",
                    fix='write one JSON object per line: {"text": ..., "label": ...}',
                )
            yield values, number


def _refuse_constant(name: str) -> None:
    """Refuses NaN and Infinity, which Python accepts but JSON does not: as a label they would become a word."""
    raise ValueError(f"{name} is not a JSON value; use null for a missing one")


def _arrow_rows(file: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """The records of a Parquet file, or of an Arrow file as `datasets` writes it, numbered from 1."""
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        if file.suffix.lower() == ".parquet":
            batches = pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1024)
        else:
            batches = pyarrow.ipc.open_stream(pyarrow.memory_map(str(file)))
        for batch in batches:
            for values in batch.to_pylist():
                number += 1
                yield values, number
    except pyarrow.ArrowInvalid as error:
        raise SlmkitError(
            f"not a valid {file.suffix[1:].title()} file: {str(error).splitlines()[0]}",
            where=f"{file}:{number + 1}",
            fix="export the file again",
        ) from None
