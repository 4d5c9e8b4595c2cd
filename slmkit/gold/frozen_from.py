"""What a gold set was frozen from: its files and columns, so that later readings of the data agree with it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from slmkit.data.read_canonical import read_shape
from slmkit.data.reading.find_files import OnNote, data_files, held_out_files
from slmkit.errors import SlmkitError, shown
from slmkit.files import sha256_of
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.recipe.yaml_lines import write_value
from slmkit.types import AnswersAre, ColumnNames

COLUMNS = ("text_column", "label_column", "passage_column", "answers_are", "group_column")
_AUTO: tuple[object, ...] = (None, "auto")


class Reading(TypedDict, total=False):
    """How a table is read, as read_canonical takes it: the columns, what lists in them are, and the encoding."""

    text_column: ColumnNames | None
    label_column: ColumnNames | None
    passage_column: ColumnNames | None
    answers_are: AnswersAre | None
    group_column: str | None
    encoding: str


class OtherDataError(SlmkitError):
    """Data whose gold set would have the name of one that was frozen from other data; only the user knows more."""

    def __init__(self, what: str, *, where: str, fix: str, known: str, folder: Path, free_name: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.known, self.folder, self.free_name = known, folder, free_name


def as_card(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns and the encoding that the user gave, as a gold card stores them."""
    return {key: value for key, value in columns.items() if value not in _AUTO}


def frozen_columns(
    gold: Gold, file: Path, given: Mapping[str, Any], *, on_note: OnNote | None = None
) -> dict[str, Any]:
    """How to read a file that is compared with a gold set: the columns, what lists in them are, and the encoding.

    As given; otherwise as the set was frozen, if the file has these columns.
    """
    stored: Mapping[str, Any] = gold.card.get("columns") or {}
    encoding = given.get("encoding", "auto")
    if encoding in _AUTO:
        encoding = stored.get("encoding", "auto") if is_source(gold, file) else "auto"
    columns = {key: given.get(key) for key in COLUMNS}
    frozen = {key: stored.get(key) if value is None else value for key, value in columns.items()}
    if frozen == columns or not file.exists():
        return {**columns, "encoding": encoding}
    try:
        read_shape(file, **frozen, encoding=encoding)
    except SlmkitError:
        if on_note:
            names = ", ".join(f"{key}={value}" for key, value in frozen.items() if value is not None)
            on_note(f"{file.name} does not have the columns that the gold set was frozen with ({names})")
        return {**columns, "encoding": encoding}
    return {**frozen, "encoding": encoding}


def is_source(gold: Gold, path: Path) -> bool:
    """Whether a gold set was frozen from this file or folder, or from questions given with it."""
    try:
        return was_frozen_from(gold, sources_of(path)) or was_frozen_from(gold, data_files(path))
    except SlmkitError:
        return False


def sources_of(data: Path, gold: Path | None = None) -> list[Path]:
    """The files whose rows become the gold set: a file of questions, else the held-out files of a folder, else all."""
    return [gold] if gold is not None else held_out_files(data) or data_files(data)


def was_frozen_from(gold: Gold, files: Sequence[Path]) -> bool:
    """Whether these are the files of the gold set, or the data they were given with: by place, or by content."""
    named = relative_names(files, gold.folder)
    return named in (gold.card.get("source"), gold.card.get("data")) or (
        "source_sha256" in gold.card and sha256_of(files) == gold.card["source_sha256"]
    )


def relative_names(files: Sequence[Path], folder: Path) -> str:
    """The files as a gold card names them: relative to the folder that holds the gold sets."""
    start = folder.resolve().parent
    return ", ".join(Path(os.path.relpath(file.resolve(), start)).as_posix() for file in files)


def read_frozen(
    folder: Path,
    *,
    data: Path,
    gold: Path | None,
    columns: Mapping[str, Any],
    on_note: OnNote,
) -> Gold:
    """The set frozen earlier. Refuses other sources, and columns that would give other questions."""
    sources = sources_of(data, gold)
    card = str(folder / "card.yaml")
    freeze = _freeze_command(folder, data, gold, columns)
    try:
        frozen = read_gold(folder)
    except SlmkitError as error:
        raise type(error)(error.what, where=error.where, fix=f"{error.fix}; or freeze another set: {freeze}") from None
    if not was_frozen_from(frozen, sources) and not (gold is None and was_frozen_from(frozen, data_files(data))):
        files = [(folder.parent / name).resolve() for name in str(frozen.card.get("source")).split(", ")]
        known = f"gold/{folder.name} was frozen from {', '.join(map(shown, files))}"
        what = f"{known}. Does {data} belong to this gold set?"
        fix = f"if so, add gold={_known_sets(folder)}; otherwise freeze its own: {freeze}"
        if gold is not None:
            what = f"{known}, not from {gold}"
            fix = f"omit gold={gold} to use the frozen set, or freeze another: {freeze}"
        free = _free_name(folder, data)
        raise OtherDataError(what, where=card, fix=fix, known=known, folder=folder, free_name=free)
    read_as = frozen.card.get("read_as")
    given = [key for key in COLUMNS if columns.get(key) is not None]
    if read_as is not None and given:
        shape = read_shape(sources[0], **columns)
        if str(shape) != read_as:
            raise SlmkitError(
                f"this gold set was frozen as {read_as}, not as {shape}",
                where=card,
                fix=f"omit {' and '.join(given)} to use the frozen set, or freeze another: {freeze}",
            )
    asked_by, frozen_by = columns.get("group_column"), (frozen.card.get("columns") or {}).get("group_column")
    if asked_by and asked_by != frozen_by:
        chosen = f"by groups of {frozen_by!r}" if frozen_by else "row by row"
        raise SlmkitError(
            f"this gold set was chosen {chosen}, so groups of {asked_by!r} are in it and in the training rows",
            where=card,
            fix=f"freeze another: {freeze}",
        )
    is_same = "source_sha256" not in frozen.card or sha256_of(sources) == frozen.card["source_sha256"]
    is_changed = not is_same and relative_names(sources, folder) == frozen.card.get("source")
    changed = ". The data has changed since, but the gold set has not" if is_changed else ""
    on_note(f"{folder}: already frozen{changed}")
    return frozen


def _known_sets(folder: Path) -> str:
    """The names of the gold sets beside a folder, the folder's first: "tickets" or "tickets (or bank, mail)"."""
    others = sorted(card.parent.name for card in folder.parent.glob("*/card.yaml") if card.parent != folder)
    return folder.name + (f" (or {', '.join(others)})" if others else "")


def _freeze_command(folder: Path, data: Path, gold: Path | None, columns: Mapping[str, Any]) -> str:
    """The command that freezes the data under a name that is still free, and what to add afterwards."""
    name = _free_name(folder, data)
    values = {"data": str(data), **({"gold": str(gold)} if gold else {}), "name": name, **as_card(columns)}
    words = [f"{key}={write_value(value)}" for key, value in values.items()]
    return f"`slmkit gold freeze {shlex.join(words)}`, then add gold={name}"


def _free_name(folder: Path, data: Path) -> str:
    """A name for the data's own gold set that no set beside the folder has."""
    stem = folder.name
    parent = re.sub(r"[\W_]+", "-", data.resolve().parent.name.lower()).strip("-")
    names = [*([f"{parent}-{stem}"] if parent else []), *(f"{stem}-{number}" for number in range(2, 1000))]
    return next(name for name in names if not (folder.parent / name).exists())
