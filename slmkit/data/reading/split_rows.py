"""Keeps the splits apart that lie in one file: {"train": [...], "test": [...]} in JSON, or a column `split`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from slmkit.data.reading.find_files import OnNote, held_out_files, validation_files
from slmkit.data.reading.read import Row, read_rows
from slmkit.data.reading.split_names import split_named

Use = Literal["training", "evaluation", "development"]

_COLUMNS = ("section", "split", "subset", "partition", "set", "fold")
_HEAD_ROWS = 1000  # these decide whether a column names splits


def read_split(
    path: Path, *, use: Use = "training", encoding: str = "auto", on_note: OnNote | None = None
) -> Iterator[Row]:
    """The rows of a file or folder for one use, if the rows name their splits; otherwise all rows.

    For training: all but the test and validation rows. For evaluation: the test rows, or without any the validation
    rows. For development: the validation rows. Each is reported. A file of one split only is read whole, as its name
    says what it is for.
    """
    note = on_note or (lambda text: None)
    rows = read_rows(path, encoding=encoding, on_note=note)
    head = list(islice(rows, _HEAD_ROWS))
    column = _split_column(head)
    every = chain(head, rows)
    if column is None or (wanted := _wanted(path, column, use, encoding, note)) is None:
        return every
    return (row for row in every if str(row.values.get(column)) in wanted)


def evaluation_files(path: Path, *, encoding: str = "auto") -> list[Path]:
    """The files to read for evaluation: the test or validation files of a folder, or a file with such rows inside."""
    if path.is_dir() or not path.exists():
        return held_out_files(path)
    column = _split_column(list(islice(read_rows(path, encoding=encoding), _HEAD_ROWS)))
    return [path] if column and _wanted(path, column, "evaluation", encoding, lambda text: None) else []


def development_files(path: Path, *, is_gold_given: bool = False, encoding: str = "auto") -> list[Path]:
    """The files to read for development: the validation files of a folder, or a file with such rows inside.

    Without test rows the validation rows are for evaluation, unless the gold questions are given (`is_gold_given`).
    """
    if path.is_dir() or not path.exists():
        return validation_files(path, is_gold_given=is_gold_given)
    column = _split_column(list(islice(read_rows(path, encoding=encoding), _HEAD_ROWS)))
    if column is None or not _wanted(path, column, "development", encoding, lambda text: None):
        return []
    named = {split_named(str(row.values.get(column))) for row in read_rows(path, encoding=encoding)}
    return [path] if is_gold_given or "test" in named else []


def _wanted(path: Path, column: str, use: Use, encoding: str, note: OnNote) -> set[str] | None:
    """The names of the splits for this use; None if the rows are of one kind, so that there is nothing to choose."""
    sizes = Counter(str(row.values.get(column)) for row in read_rows(path, encoding=encoding))
    of = {split: [name for name in sizes if split_named(name) == split] for split in ("test", "validation")}
    evaluation = of["test"] or of["validation"]
    training = [name for name in sizes if name not in (*of["test"], *of["validation"])]
    if not evaluation or not training:
        return None
    chosen = {"training": training, "evaluation": evaluation, "development": of["validation"]}[use]
    others = [name for name in sizes if name not in chosen]
    note(f"{path.name}: {column!r} names splits; for {use}: {_sized(chosen, sizes)}; others: {_sized(others, sizes)}")
    return set(chosen)


def _split_column(head: Sequence[Row]) -> str | None:
    """The column whose values all name a split, such as train and test."""
    for column in _COLUMNS:
        values = {str(row.values[column]) for row in head if row.values.get(column) not in (None, "")}
        if values and all(map(split_named, values)):
            return column
    return None


def _sized(names: Sequence[str], sizes: Counter[str]) -> str:
    return ", ".join(f"{name} {sizes[name]:,}" for name in names)
