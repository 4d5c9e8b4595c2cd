"""A file as canonical rows: read, shaped and converted in one call, with each unusable row kept beside its reason."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from slmkit.data.convert import Canonical, RowFault, convert
from slmkit.data.gap_fill import gap_fill
from slmkit.data.header import doubtful_header
from slmkit.data.read import Row, is_held_out, read_rows
from slmkit.data.shape import Shape, find_shape, unused_columns
from slmkit.errors import SlmkitError

_HEAD_ROWS = 1000  # the shape is judged by these, so that a long file and its head agree

TaskKind = Literal["classification", "generation", "extraction"]


@dataclass(frozen=True)
class Dropped:
    """A row that was left out, why, and where it stood."""

    reason: str
    file: str
    line: int
    input: str


@dataclass(frozen=True)
class Canonicals:
    """What a file held."""

    shape: Shape
    rows: list[Canonical]
    dropped: list[Dropped]
    num_read: int  # records in the file
    is_synthetic: bool  # questions made from plain text
    num_synthetic: int = 0  # records that say of themselves that a model wrote them

    @property
    def kind(self) -> TaskKind:
        """What a system has to do with these rows."""
        if self.shape.kind == "classification":
            return "classification"
        if self.shape.kind == "slots" or (self.rows and all(_is_object(row.target) for row in self.rows)):
            return "extraction"
        return "generation"

    @property
    def labels(self) -> list[str]:
        """The labels of a classification task, sorted; else none."""
        return sorted({row.target for row in self.rows}) if self.kind == "classification" else []

    @property
    def instruction(self) -> str:
        """The system message that says what to do, where the rows themselves do not."""
        if self.is_synthetic:
            return "Write the word or number that is missing at ____."
        return {
            "classification": "Answer with the one label that fits the text.",
            "extraction": "Answer with the JSON record of the text.",
            "generation": "",
        }[self.kind]


def read_canonical(
    path: Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    encoding: str = "auto",
    text_as: Literal["questions", "text"] = "questions",
    on_note: Callable[[str], None] | None = None,
    on_row: Callable[[], None] | None = None,
) -> Canonicals:
    """The canonical rows of a file or folder.

    Plain text has no answers: with text_as="questions" gap-fill questions are made from it, marked as synthetic.
    Raises: SlmkitError when the file cannot be read, its shape not be found, or no row be used.
    """
    say = on_note or (lambda text: None)
    rows = read_rows(path, encoding=encoding, on_note=say)
    head, rows = _peek(rows)
    if doubt := doubtful_header(head):
        say(f"{head[0].file.name}:1: {doubt}")
    shape = find_shape(head, text_column=text_column, label_column=label_column, needs_answers=text_as == "questions")
    if group_column and not any(group_column in row.values for row in head):
        raise SlmkitError(
            f"group_column={group_column!r} is no column; there are {', '.join(head[0].values)}",
            where=head[0].where,
            fix="set group_column= to one of these",
        )
    unused = [column for column in unused_columns(head, shape) if column != group_column]
    say(f"{path.name}: {shape}" + (f"; not used: {', '.join(unused[:8])}" if unused else ""))
    nameless = [column for column in unused if column.startswith("column_")]
    cut: list[str] = []  # rows with values beyond the named columns
    found: list[Canonical] = []
    dropped: list[Dropped] = []
    num_read = num_synthetic = 0
    sections: Counter[str] = Counter()
    for row in rows:
        num_read += 1
        sections[str(row.values.get("section") or "")] += 1
        num_synthetic += bool(row.values.get("synthetic"))
        if any(row.values.get(column) for column in nameless):
            cut.append(row.where)
        try:
            converted = convert(row, shape)
        except RowFault as fault:
            dropped.append(Dropped(str(fault), str(row.file), row.line, _shown(row)))
            converted = []
        group = str(row.values.get(group_column) or "") if group_column else ""
        found += [replace(canonical, group=group) for canonical in converted] if group else converted
        if on_row:
            on_row()
    if cut:
        say(f"{len(cut):,} rows go on in columns without a name (first: {cut[0]}); an unquoted comma cuts a text")
    if not found:
        raise SlmkitError(
            f"no row can be used: {dropped[0].reason} in all {num_read:,} rows, taken for {shape}",
            where=f"{dropped[0].file}:{dropped[0].line}",
            fix="fill the column, or name others: text_column=NAME label_column=NAME",
        )
    is_synthetic = shape.kind == "text" and text_as == "questions"
    if is_synthetic:
        texts, found = found, gap_fill(found)
        if not found:
            raise SlmkitError(
                "the text holds no sentence a question can be made from",
                where=texts[0].where,
                fix="give longer documents, or a file with questions and answers",
            )
        say(f"{path.name}: plain text without answers; made {len(found):,} gap-fill questions from it (synthetic)")
    if (held := [name for name in sections if is_held_out(name)]) and len(held) < len(sections):
        counted = ", ".join(f"{name} {count:,}" for name, count in sections.items() if name)
        say(f"{path.name} holds several splits, all read together: {counted}; those in {held[0]!r} belong in gold")
    if num_synthetic:
        say(f"{num_synthetic:,} of {num_read:,} rows were written by a model (synthetic)")
    return Canonicals(shape, found, dropped, num_read, is_synthetic, num_synthetic)


def read_shape(path: Path, *, text_column: str | None, label_column: str | None, encoding: str) -> Shape:
    """The shape that read_canonical would find, from the first rows alone."""
    head, _ = _peek(read_rows(path, encoding=encoding))
    return find_shape(head, text_column=text_column, label_column=label_column)


def _peek(rows: Iterator[Row]) -> tuple[Sequence[Row], Iterator[Row]]:
    head = list(itertools.islice(rows, _HEAD_ROWS))
    return head, itertools.chain(head, rows)


def _is_object(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except json.JSONDecodeError:
        return False


def _shown(row: Row) -> str:
    return json.dumps(row.values, ensure_ascii=False, default=str)[:200]
