"""Reads the questions that were reserved for a gold set: a test or validation split, or a file that the user names."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from slmkit.data.read_canonical import CanonicalData, read_canonical, read_shape
from slmkit.data.reading.find_files import OnNote, validation_files
from slmkit.data.reading.read import read_rows
from slmkit.errors import SlmkitError, shown

_HEAD_ROWS = 1000


def read_questions(
    path: Path, data: Path, *, is_given: bool, is_text: bool, on_note: OnNote, **columns: Any
) -> CanonicalData:
    """The questions of a file with their answers. `is_given`: the user named it, so it may lack the group_column.

    is_text: the training rows are plain text, so that these may be too.
    Raises: SlmkitError if it has no answers; for an unlabelled test file, the fix names the validation file.
    """
    group = columns.get("group_column")
    if is_given and group:
        head = itertools.islice(read_rows(path, encoding=columns.get("encoding", "auto")), _HEAD_ROWS)
        if not any(group in row.values for row in head):
            columns = {**columns, "group_column": None}
            on_note(f"{path.name} has no column {group!r}, so training rows of its groups cannot be found")
    others = [] if is_given else validation_files(data, is_gold_given=True)
    instead = f"gold={shown(others[0])} uses the validation split" if others and path not in others else ""
    notes: list[str] = []
    try:
        shape = read_shape(path, **columns)
        if shape.kind == "text" and not is_text:
            raise SlmkitError(f"no answers, {shape}", where=str(path), fix="set gold=FILE to a file with answers")
        found = read_canonical(path, use="evaluation", on_note=notes.append, **columns)
    except SlmkitError as error:
        fix = f"{error.fix}; or, if it has no answers, {instead}" if instead else error.fix
        raise type(error)(f"{path.name}: {error.what}", where=error.where, fix=fix) from None
    if "messages" not in found.rows[0].values:
        raise SlmkitError(
            f"{path.name}: {found.shape}: these rows are not questions with one correct answer",
            where=found.rows[0].where,
            fix="set gold=FILE to a file with questions and answers",
        )
    for note in notes:
        on_note(note)
    return found
