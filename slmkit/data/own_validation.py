"""The validation split that the user's data has, read beside its training rows and kept apart from them.

Without one, prepare cuts validation rows from the training rows by hash (split.py). Of a single document of plain text
it cuts the end, by paragraphs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, DroppedRow
from slmkit.data.cleaning.steps import CleanedRows, without
from slmkit.data.read_canonical import CanonicalData, read_canonical
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.split_rows import development_files
from slmkit.data.shape import Shape
from slmkit.data.split import split
from slmkit.errors import SlmkitError, counted
from slmkit.text.sentences import split_sentences
from slmkit.text.words import count_words

_FEW_ROWS, _MOST_ALIKE = 5, 0.1  # as many, or this share of the rows, may begin with one turn and stay together
_FEWEST_WORDS = 20  # of a validation part; its document has at least ten times as many


def read_own_validation(
    data: Path, shape: Shape, *, is_gold_given: bool, on_note: OnNote, **reading: Any
) -> CanonicalData | None:
    """The rows of the data's validation split; None if it has none, or none like the training rows, which is said.

    reading: the arguments of read_canonical that the training rows were read with.
    """
    parts = []
    encoding = reading.get("encoding", "auto")
    for file in development_files(data, is_gold_given=is_gold_given, encoding=encoding):
        try:
            part = read_canonical(file, use="development", on_note=on_note, **reading)
        except SlmkitError as error:
            on_note(f"{file.name}: the validation split is not used: {error.what}")
            return None
        if part.shape.kind != shape.kind:
            on_note(
                f"{file.name}: the validation split is not used: read as {part.shape}, unlike the training rows,"
                f" read as {shape}"
            )
            return None
        parts.append(part)
    if not parts:
        return None
    return _joined(parts[0], parts)


def with_own_validation(
    data: Path, found: CanonicalData, *, is_gold_given: bool, on_note: OnNote, **reading: Any
) -> CanonicalData:
    """The training rows after those of the data's validation split, if it has one; these are marked."""
    own = read_own_validation(data, found.shape, is_gold_given=is_gold_given, on_note=on_note, **reading)
    if own is None:
        return found
    marked = replace(own, rows=[replace(row, is_validation=True) for row in own.rows])
    return _joined(found, [marked, found])


def without_validation_questions(done: CleanedRows) -> CleanedRows:
    """The rows without training rows that ask a question of the validation split, whatever their answer."""
    asked = {row.question.split_key: row.input for row in done.rows if row.is_validation}
    texts = {
        i: asked[row.question.split_key]
        for i, row in enumerate(done.rows)
        if asked and not row.is_validation and row.question.split_key in asked
    }
    left = without(done.rows, dict.fromkeys(texts, "in the validation split"), repeats=texts)
    return CleanedRows(left.rows, [*done.dropped, *left.dropped], done.changed)


def into_sides(
    rows: Sequence[CanonicalRow],
    *,
    read: Sequence[CanonicalRow],
    dropped: Sequence[DroppedRow],
    validation_size: float,
    on_note: OnNote,
) -> tuple[list[CanonicalRow], list[CanonicalRow]]:
    """(train, validation): the marked rows are validation, otherwise about validation_size of them, by hash.

    read, dropped: the rows before cleaning, and those dropped since. What became of a validation split is reported.
    """
    train, own = ([row for row in rows if row.is_validation is side] for side in (False, True))
    places = {(str(row.file), row.line) for row in read if row.is_validation}
    if own:
        on_note(f"validation rows: {_split_counts(len(own), len(places), dropped, places)}")
        return train, own
    if places:
        lost = _split_counts(0, len(places), dropped, places)
        on_note(f"{lost}, so validation rows are cut from the training rows")
    train, cut = split(rows, validation_size=validation_size, key=_side_key(rows))
    if not cut and validation_size > 0 and len(rows) > 1:
        on_note("no validation rows: all rows belong to one group, passage or question")
    return train, cut


def _split_counts(num_left: int, num_read: int, dropped: Sequence[DroppedRow], places: Container[object]) -> str:
    """How many rows of the validation split are left, and why the others are not."""
    reasons = Counter(row.reason for row in dropped if (row.file, row.line) in places)
    why = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    left = "all" if num_left == num_read else f"{num_left:,} of" if num_left else "none of"
    return f"{left} {counted(num_read, 'row')} of the validation split" + (f" ({why})" if why else "")


def _side_key(rows: Sequence[CanonicalRow]) -> Callable[[CanonicalRow], str]:
    """What decides the side of a row: its group, its passage, or its first user turn.

    So conversations that are cut at several turns, or continue one beginning, stay together. Those with a first turn
    of many rows, such as a greeting or an instruction, do not: then the whole question decides.
    """
    counts = Counter(map(_opening, rows))
    most = max(_FEW_ROWS, _MOST_ALIKE * len(rows))

    def key(row: CanonicalRow) -> str:
        opening = _opening(row)
        return row.group or row.passage or (opening if counts[opening] <= most else row.question.split_key)

    return key


def _opening(row: CanonicalRow) -> str:
    """The first user turn of a row's conversation."""
    if not row.question.rest:
        return row.question.text
    return next((str(turn.get("content")) for turn in row.conversation if turn["role"] == "user"), row.input)


def cut_validation(rows: Sequence[CanonicalRow], *, validation_size: float, on_note: OnNote) -> list[CanonicalRow]:
    """The rows; if they are one document of plain text, its end as a validation row, or a note why not."""
    if len(rows) != 1 or validation_size <= 0 or "text" not in rows[0].values or rows[0].is_validation:
        return list(rows)
    [row] = rows
    text = row.values["text"]
    num_words = count_words(text)
    at = _cut(text, max(_FEWEST_WORDS, round(validation_size * num_words)))
    if num_words < 10 * _FEWEST_WORDS or at is None:
        on_note(
            f"no validation rows: the text is one document of {counted(num_words, 'word')}; to have some, add a"
            f" document, or make it {10 * _FEWEST_WORDS} words or longer, in several paragraphs or sentences"
        )
        return [row]
    front, end = text[:at].rstrip(), text[at:]
    on_note(f"the text is one document, so its last {counted(count_words(end), 'word')} are the validation row")
    return [_part(row, front), replace(_part(row, end), is_validation=True)]


def _joined(first: CanonicalData, parts: Sequence[CanonicalData]) -> CanonicalData:
    """The rows of all parts, read as the first."""
    return replace(
        first,
        rows=[row for part in parts for row in part.rows],
        dropped=[row for part in parts for row in part.dropped],
        num_read=sum(part.num_read for part in parts),
        num_synthetic=sum(part.num_synthetic for part in parts),
    )


def _part(row: CanonicalRow, text: str) -> CanonicalRow:
    return replace(row, values={**row.values, "text": text}, input=text)


def _cut(text: str, num_words: int) -> int | None:
    """Where the last paragraphs begin that have num_words words or more, or lines, or sentences; at most a third."""
    for starts in (_starts(r"\n\s*\n", text), _starts(r"\n", text), list(_sentence_starts(text))):
        words, end = 0, len(text)
        for start in reversed(starts):
            words += count_words(text[start:end])
            end = start
            if words >= num_words:
                if words <= count_words(text[:start]) // 2:
                    return start
                break
    return None


def _starts(separator: str, text: str) -> list[int]:
    return [found.end() for found in re.finditer(separator, text)]


def _sentence_starts(text: str) -> Iterator[int]:
    at = 0
    for sentence in split_sentences(text):
        start = text.find(sentence, at)
        if start > 0:
            yield start
        at = max(at, start) + len(sentence)
