"""Reads a file as canonical rows: finds its shape, converts each row, and records the reason for each unusable one."""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from slmkit.data.canonical_row import CanonicalRow, DroppedRow, RowFault
from slmkit.data.cell import as_text, is_empty
from slmkit.data.chat_messages import CHAT_COLUMNS, ignored_marks
from slmkit.data.convert import convert, parts_of
from slmkit.data.documents import is_passage_id
from slmkit.data.find_shape import find_shape
from slmkit.data.gap_fill import gap_fill
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.header import doubtful_header
from slmkit.data.reading.read import Row, read_rows
from slmkit.data.reading.split_rows import Use, read_split
from slmkit.data.shape import Shape, unused_columns
from slmkit.errors import SlmkitError, counted, listed
from slmkit.text.words import count_words
from slmkit.types import AnswersAre, ColumnNames

_HEAD_ROWS = 1000  # only these decide the shape, so that a long file and its head have the same one

_FEW_WORDS = 10  # of an answer that is copied from a passage; nine in ten of SQuAD's have at most 6
_NOT_QUESTIONS = ("text", "messages", "sharegpt", "prompt_completion", "alpaca", "calls", "turns")
_WITH_ZERO = re.compile(r"-?\d+\.0")

TaskKind = Literal["classification", "generation", "extraction"]


@dataclass(frozen=True)
class CanonicalData:
    """The contents of a data file: its shape, its rows, and the rows that could not be used."""

    shape: Shape
    rows: list[CanonicalRow]
    dropped: list[DroppedRow]
    num_read: int  # records in the file
    is_synthetic: bool  # questions generated from plain text
    num_synthetic: int = 0  # records marked as written by a model

    @property
    def kind(self) -> TaskKind:
        """The kind of task that these rows define."""
        if self.shape.kind in ("classification", "choice"):
            return "classification"
        if self.shape.kind == "slots" or (self.rows and all(_is_json(row.target) for row in self.rows)):
            return "extraction"
        return "generation"

    @property
    def labels(self) -> list[str]:
        """The labels of a classification task, sorted; empty for other tasks."""
        return sorted({row.target for row in self.rows}) if self.kind == "classification" else []

    @property
    def is_extractive(self) -> bool:
        """Whether these are questions about passages with short answers, most of which are words of the passage."""
        if self.kind != "generation" or self.is_synthetic or self.shape.kind in _NOT_QUESTIONS:
            return False
        about = [row for row in self.rows[:_HEAD_ROWS] if row.passage or is_passage_id(row.group)]
        found = sum(
            count_words(row.target) <= _FEW_WORDS and row.target.lower() in (row.passage or row.input).lower()
            for row in about
        )
        return bool(about) and found > len(about) / 2

    @property
    def instruction(self) -> str:
        """The system message that states the task, for rows that do not state it themselves."""
        if self.is_synthetic:
            return "Write the word or number that is missing at ____."
        if self.shape.kind == "choice":
            return "Answer with the letter of the right option."
        if any(row.tools for row in self.rows[:_HEAD_ROWS]):
            return ""  # the chat template says how to call them
        if self.is_extractive:
            return "Answer the question in a few words."
        return {
            "classification": "Answer with the one label that fits the text.",
            "extraction": "Answer with the JSON record of the text.",
            "generation": "",
        }[self.kind]


def read_canonical(
    path: Path,
    *,
    text_column: ColumnNames | None = None,
    label_column: ColumnNames | None = None,
    passage_column: ColumnNames | None = None,
    answers_are: AnswersAre | None = None,
    group_column: str | None = None,
    encoding: str = "auto",
    text_as: Literal["questions", "text"] = "questions",
    use: Use = "training",
    on_note: OnNote | None = None,
    on_row: Callable[[], None] | None = None,
) -> CanonicalData:
    """The canonical rows of a file or folder; of a file with several splits inside, those for the use.

    Plain text has no answers: with text_as="questions", gap-fill questions are generated from it and marked synthetic.
    Raises: SlmkitError if the file cannot be read, its shape is unclear, or no row is usable.
    """
    note = on_note or (lambda text: None)
    head, rows = _peek(read_split(path, use=use, encoding=encoding, on_note=note))
    if doubt := doubtful_header(head):
        note(f"{head[0].file.name}:1: {doubt}")
    shape = find_shape(
        head,
        text_column=text_column,
        label_column=label_column,
        passage_column=passage_column,
        answers_are=answers_are,
        needs_answers=text_as == "questions",
    )
    if group_column:
        check_group_column(group_column, head)
    unused = [column for column in unused_columns(head, shape) if column != group_column]
    said = [str(shape), *shape.notes, *([f"not used: {listed(unused)}"] if unused else [])]
    note(f"{path.name}: {'; '.join(said)}")
    counts = _Counts(nameless=[column for column in unused if column.startswith("column_") and column != "column_1"])
    found: list[CanonicalRow] = []
    dropped: list[DroppedRow] = []
    for row in rows:
        counts.add(row)
        value = row.values.get(group_column) if group_column else None
        group = "" if is_empty(value) else as_text(value)
        converted: list[CanonicalRow] = []
        try:
            parts = parts_of(row, shape, gaps=counts.gaps)
        except RowFault as fault:
            parts = []
            counts.add_unusable(row, shape)
            dropped.append(DroppedRow(str(fault), str(row.file), row.line, _excerpt(row)))
        for part in parts:
            try:
                converted += convert(part, shape)
            except RowFault as fault:
                counts.add_unusable(part, shape)
                dropped.append(DroppedRow(str(fault), str(row.file), row.line, _excerpt(part)))
        found += [replace(one, group=group) for one in converted] if group else converted
        if on_row:
            on_row()
    if not found:
        counts.report(note, path.name)  # it may explain the error
        raise SlmkitError(
            f"none of the {counts.rows:,} rows is usable, read as {shape}. First reason: {dropped[0].reason}",
            where=f"{dropped[0].file}:{dropped[0].line}",
            fix="fill this column, or choose other columns: text_column=NAME label_column=NAME",
        )
    is_synthetic = shape.kind == "text" and text_as == "questions"
    if is_synthetic:
        found = _questions(found, note, path.name)
    counts.report(note, path.name)
    data = CanonicalData(shape, found, dropped, counts.rows, is_synthetic, counts.synthetic)
    _check_labels(data.labels, shape, str(path))
    return data


def read_shape(
    path: Path,
    *,
    text_column: ColumnNames | None = None,
    label_column: ColumnNames | None = None,
    passage_column: ColumnNames | None = None,
    answers_are: AnswersAre | None = None,
    group_column: str | None = None,
    encoding: str = "auto",
) -> Shape:
    """The shape that read_canonical would find, from the first rows only."""
    head, _ = _peek(read_rows(path, encoding=encoding))
    if group_column:
        check_group_column(group_column, head)
    return find_shape(
        head,
        text_column=text_column,
        label_column=label_column,
        passage_column=passage_column,
        answers_are=answers_are,
    )


def check_group_column(name: str, rows: Sequence[Row]) -> None:
    """Raises SlmkitError if none of the rows has the column."""
    if not any(name in row.values for row in rows):
        columns = dict.fromkeys(column for row in rows for column in row.values)
        near = difflib.get_close_matches(name, columns, n=1)
        raise SlmkitError(
            f"group_column={name!r} is not a column. Columns: {listed(columns)}",
            where=rows[0].where,
            fix=f"did you mean group_column={near[0]}?" if near else "set group_column= to one of these",
        )


@dataclass
class _Counts:
    """What the source rows have in common that the user should know."""

    nameless: list[str]  # columns without a header; not the first, as a text with separators spills to the right
    rows: int = 0
    synthetic: int = 0
    overflowing: list[str] = field(default_factory=list)  # where rows have values in columns without a header
    marked: int = 0  # turns marked to carry loss that are not the assistant's
    marked_in: str = ""  # the first row with one
    gaps: Counter[str] = field(default_factory=Counter)  # empty columns of texts that are made of several
    others: Counter[tuple[str, ...]] = field(default_factory=Counter)  # filled columns of rows with none that is read
    other_in: str = ""  # the first of these rows
    read: tuple[str, ...] = ()  # the columns that are read

    def add(self, row: Row) -> None:
        self.rows += 1
        self.synthetic += bool(row.values.get("synthetic"))
        for column in CHAT_COLUMNS:
            if column in row.values and (marked := ignored_marks(row.values[column])):
                self.marked, self.marked_in = self.marked + marked, self.marked_in or row.where
        if any(row.values.get(column) for column in self.nameless):
            self.overflowing.append(row.where)

    def add_unusable(self, row: Row, shape: Shape) -> None:
        filled = tuple(column for column, value in row.values.items() if not is_empty(value) and value not in ([], {}))
        self.read = tuple(dict.fromkeys(shape.columns.values()))
        if filled and self.read and not {*filled} & {*self.read}:
            self.others[filled] += 1
            self.other_in = self.other_in or row.where

    def report(self, note: OnNote, name: str) -> None:
        if self.others:
            [(columns, _)] = self.others.most_common(1)
            num = self.others.total()
            note(
                f"{counted(num, 'row')} with other columns (first: {self.other_in}): {listed(columns)} instead of"
                f" {listed(self.read)}. They are not used: give all rows the same columns, or put them into two files"
            )
        if self.gaps:
            said = ", ".join(f"{column} in {count:,}" for column, count in self.gaps.most_common())
            note(f"rows with an empty column beside filled ones, which is left out: {said}")
        if self.marked:
            note(
                f"{counted(self.marked, 'turn')} marked to be trained on that are not the assistant's (first:"
                f" {self.marked_in}): ignored, only the assistant's turns carry loss"
            )
        if self.overflowing:
            note(
                f"{len(self.overflowing):,} rows have values in columns without a name (first: {self.overflowing[0]})."
                " Quote texts that contain the separator"
            )
        if self.synthetic:
            note(f"{self.synthetic:,} of {self.rows:,} rows were written by a model (synthetic)")


def _questions(texts: list[CanonicalRow], note: OnNote, name: str) -> list[CanonicalRow]:
    found = gap_fill(texts)
    if not found:
        raise SlmkitError(
            "no gap-fill question can be generated from this text",
            where=texts[0].where,
            fix="use longer documents, a file with questions and answers, or text_as=text",
        )
    note(f"{name} is plain text without answers, so {len(found):,} synthetic gap-fill questions were generated")
    return found


def _peek(rows: Iterator[Row]) -> tuple[Sequence[Row], Iterator[Row]]:
    head = list(itertools.islice(rows, _HEAD_ROWS))
    return head, itertools.chain(head, rows)


def _is_json(text: str) -> bool:
    """Whether a text is a JSON record or list."""
    if not text.startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _check_labels(labels: Sequence[str], shape: Shape, where: str) -> None:
    """Refuses 1 and 1.0 as two labels: spreadsheets write one number in both ways."""
    known = set(labels)
    for label in labels:
        if _WITH_ZERO.fullmatch(label) and label[:-2] in known:
            column = shape.columns.get("label", "the labels")
            raise SlmkitError(
                f"the labels {label[:-2]!r} and {label!r} in {column!r} are one number written in two ways",
                where=where,
                fix=f"write them alike, or keep both as v{label[:-2]} and v{label}: label_column='v{{{column}}}'",
            )


def _excerpt(row: Row) -> str:
    return json.dumps(row.values, ensure_ascii=False, default=str)[:200]
