"""Reads files into rows that know their file and line: CSV, TSV, JSONL, JSON, Parquet, Arrow, CoNLL, and documents.

    train.csv:3    {"text": "My card has not arrived.", "label": "card_arrival"}

Rows stream, except those of a .json file. What the columns mean is decided in find_shape.py.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from slmkit.data.reading.beir import beir_folder, beir_rows
from slmkit.data.reading.class_names import class_features, class_note, renamer
from slmkit.data.reading.csv_rows import csv_rows, table_delimiter
from slmkit.data.reading.encoding import find_encoding
from slmkit.data.reading.find_files import (
    CONLL_SUFFIXES,
    DOCUMENT_SUFFIXES,
    SUFFIXES,
    TABLE_SUFFIXES,
    OnNote,
    are_parts,
    data_files,
)
from slmkit.data.reading.json_rows import json_rows
from slmkit.data.reading.jsonl_rows import jsonl_rows
from slmkit.data.reading.open_file import COMPRESSED, REFUSED, suffix_of
from slmkit.data.reading.split_names import split_of_file
from slmkit.errors import SlmkitError, listed

_HEAD_ROWS = 20  # whose columns are compared between files
Values = tuple[dict[str, Any], int]  # a row, and its line or number


class Row(NamedTuple):
    """One record of a file, and its place there."""

    values: dict[str, Any]
    file: Path
    line: int  # from 1; in JSON, Parquet and Arrow files an Item: the row's number

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def read_rows(path: Path, *, encoding: str = "auto", on_note: OnNote | None = None) -> Iterator[Row]:
    """The rows of a file, or of the data files of a folder, in order.

    A document (.md, .txt, .html) is one row {"path", "text"}. Raises: SlmkitError naming file and line.
    """
    note = on_note or (lambda text: None)
    files = data_files(path, on_note=note)
    root = path if path.is_dir() else path.parent
    if len(files) == 1 or suffix_of(files[0]) in DOCUMENT_SUFFIXES:
        for file in files:
            yield from _read_file(file, root, encoding, note)
    else:
        yield from _read_together(files, root, encoding, note)


def _read_together(files: Sequence[Path], root: Path, encoding: str, note: OnNote) -> Iterator[Row]:
    """The rows of several files, which must have the same columns; in JSON some may be left out."""
    is_one_table = are_parts(files) or all(split_of_file(file, root) == "train" for file in files)
    expected: dict[str, None] = {}
    for file in files:
        rows = _read_file(file, root, encoding, note)
        head = list(islice(rows, _HEAD_ROWS))
        columns = dict.fromkeys(name for row in head for name in row.values)
        if expected and columns.keys() != expected.keys():
            common = len(columns.keys() & expected.keys())
            is_json = suffix_of(file) in (".json", ".jsonl", ".ndjson")
            said = f"{files[0].name} has {listed(expected, most=8)}; {file.name} has {listed(columns, most=8)}"
            if not (is_json and is_one_table and 2 * common >= max(len(columns), len(expected))):
                raise SlmkitError(
                    f"the tables in this folder have different columns: {said}",
                    where=str(root),
                    fix=f"choose one: data={files[0]}",
                )
            note(f"{root.name}/: not all files have the same columns: {said}")
        expected = expected or columns
        yield from head
        yield from rows


def _read_file(file: Path, root: Path, encoding: str, note: OnNote) -> Iterator[Row]:
    suffix = suffix_of(file)
    _check_suffix(file, suffix)
    if file.stat().st_size == 0:
        raise SlmkitError("the file is empty", where=f"{file}:1", fix="use a file with at least one row of data")
    is_empty = True
    try:
        for values, line in _values(file, suffix, root, encoding, note):
            is_empty = False
            yield Row(values, file, line)
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise SlmkitError(
            f"the compressed file is damaged or incomplete: {error}", where=str(file), fix="copy or pack it again"
        ) from None
    if is_empty:
        raise SlmkitError("the file has no rows", where=f"{file}:1", fix="use a file with at least one row of data")


def _check_suffix(file: Path, suffix: str) -> None:
    if command := REFUSED.get(suffix):
        raise SlmkitError(
            f"cannot read {suffix} files", where=str(file), fix=f"decompress it first: {command} {file.name}"
        )
    if suffix not in (*TABLE_SUFFIXES, *DOCUMENT_SUFFIXES):
        what = f"cannot read {suffix} files" if suffix else "the file name has no suffix, so its format is unknown"
        known = f"supported file types: {SUFFIXES}"
        raise SlmkitError(what, where=str(file), fix=known if suffix else f"add the suffix of its format; {known}")
    if suffix in (".parquet", ".arrow", ".feather") and file.suffix.lower() in COMPRESSED:
        raise SlmkitError(f"cannot read a compressed {suffix} file", where=str(file), fix="decompress it first")


def _values(file: Path, suffix: str, root: Path, encoding: str, note: OnNote) -> Iterator[Values]:
    if suffix in (".parquet", ".arrow", ".feather"):
        from slmkit.data.reading.arrow_rows import arrow_rows

        return arrow_rows(file, root, on_note=note)
    found = find_encoding(file, encoding=encoding, on_note=note)
    if folder := beir_folder(file):
        queries, corpus = (
            jsonl_rows(path, find_encoding(path, encoding=encoding, on_note=note), on_note=note)
            for path in (folder / "queries.jsonl", folder / "corpus.jsonl")
        )
        return beir_rows(csv_rows(file, found, on_note=note), queries, corpus, qrels=file, on_note=note)
    if suffix in (".csv", ".tsv"):
        rows: Iterator[Values] = csv_rows(file, found, on_note=note)
    elif suffix in (".jsonl", ".ndjson"):
        rows = jsonl_rows(file, found, on_note=note)
    elif suffix == ".json":
        rows = json_rows(file, found, on_note=note)
    else:
        return _text_rows(file, suffix, root, found, note)
    classes = class_features(file, root)
    return _with_class_names(rows, classes, file, note) if classes else rows


def _text_rows(file: Path, suffix: str, root: Path, encoding: Any, note: OnNote) -> Iterator[Values]:
    """The sentences of a CoNLL file, or a document as one row."""
    from slmkit.data.reading.conll_rows import conll_rows, is_conll
    from slmkit.data.reading.document_text import read_document

    if suffix in CONLL_SUFFIXES:
        return conll_rows(file, encoding)
    if suffix == ".txt" and is_conll(file, encoding):
        note(f"{file.name}: a token and its tag on each line, read as sentences with entities (CoNLL)")
        return conll_rows(file, encoding)
    if suffix in (".txt", ".text") and (delimiter := table_delimiter(file, encoding)):
        note(
            f"{file.name}: read as one text, but each line has as many {delimiter!r} as the first; if it is a table,"
            " name the file .csv"
        )
    return iter([({"path": file.relative_to(root).as_posix(), "text": read_document(file, encoding)}, 1)])


def _with_class_names(rows: Iterator[Values], classes: Any, file: Path, note: OnNote) -> Iterator[Values]:
    """The rows with the class names that a file beside them gives for their ids."""
    rename: dict[str, Callable[[Any], Any]] = {name: renamer(feature) for name, feature in classes.items()}
    replaced: set[str] = set()
    for values, line in rows:
        for name in rename.keys() & values.keys():
            try:
                value = rename[name](values[name])
            except ValueError as error:
                fix = "correct the id, or the names in the dataset_info beside the file"
                raise SlmkitError(f"{name!r}: {error}", where=f"{file}:{line}", fix=fix) from None
            if value != values[name]:
                replaced.add(name)
                values[name] = value
        yield values, line
    if replaced:
        note(class_note(file.name, dict.fromkeys(sorted(replaced))))
