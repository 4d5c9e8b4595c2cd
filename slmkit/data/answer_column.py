"""Finds the text column and the answer column of a table whose column names alone do not decide its shape.

The caller's names come first, then the usual names, then the content: of two columns, the one that repeats a few short
values is the label. If several columns qualify, the error lists them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slmkit.data.reading.read import Row
from slmkit.errors import SlmkitError

_TEXT = ("text", "sentence", "utterance", "message", "query", "question", "claim", "input", "prompt", "instruction",
         "review", "tweet", "content", "body", "document", "full_text")  # fmt: skip
_TARGET = ("target", "answer", "answers", "output", "response", "completion", "ideal", "reference", "ref", "summary",
           "translation", "solution", "expected_output")  # fmt: skip
_LABEL = ("label_text", "label_name", "label", "labels", "category", "intent", "class", "sentiment", "topic", "tag")
_RECORD = ("json", "record", "fields", "slots", "entities", "annotation", "annotations")  # names of JSON answers
_PASSAGE = ("context", "passage")
NON_DATA_COLUMNS = ("id", "_id", "idx", "index", "key", "uid", "guid", "path", "file", "filename", "url", "line",
                    "title", "source", "section", "split", "language", "lang", "metadata", "meta")  # fmt: skip
_TABLES = (".csv", ".tsv")


class TextAndAnswer(NamedTuple):
    """The columns of the input, its answer (None: plain text) and the passage it asks about."""

    text: str
    answer: str | None
    passage: str | None = None


def find_text_and_answer(
    rows: Sequence[Row],
    columns: Mapping[str, Any],
    *,
    text_column: str | None,
    label_column: str | None,
    needs_answers: bool,
) -> TextAndAnswer:
    """The text and answer columns; `columns` maps each column to a typical value.

    Raises: SlmkitError naming the columns found and the parameter to set.
    """
    if text_column is not None and text_column == label_column:
        raise SlmkitError(
            f"text_column and label_column are both {text_column!r}",
            where=rows[0].where,
            fix="set label_column to the column of the answers",
        )
    usable = [
        column
        for column, value in columns.items()
        if column.lower() not in NON_DATA_COLUMNS
        and not column.startswith("column_")
        and not (isinstance(value, dict) and "text" not in value)
    ]
    strings = [column for column in usable if isinstance(columns[column], str)]
    text, answer = _by_name(columns, usable, strings, text_column, label_column)
    if text is None and answer is None and len(usable) == 2:
        text, answer = _by_content(rows, *usable)
    if text is None and answer is None and not needs_answers and len(strings) == 1:
        text = strings[0]
    is_table = rows[0].file.suffix.lower() in _TABLES
    is_only_column = usable == [text] and (text_column is not None or not is_table)
    if text and answer is None and (not needs_answers or is_only_column):
        return TextAndAnswer(text, None)
    if text is None or answer is None:
        raise _not_found(rows, columns, text, answer)
    passage = _named(strings, _PASSAGE, besides=text)
    return TextAndAnswer(text, answer, passage if passage != answer and not label_column else None)


def is_classification(rows: Sequence[Row], column: str) -> bool:
    """Whether an answer column contains labels: by its name, unless its values rarely repeat, or by its values."""
    is_named_label = _named([column], _LABEL, besides=None) == column
    return (is_named_label and not _rarely_repeats(rows, column)) or _repeats(rows, column)


def listed(columns: Mapping[str, Any]) -> str:
    """The column names for an error message, at most twelve."""
    names = list(columns)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _by_name(
    columns: Mapping[str, Any],
    usable: Sequence[str],
    strings: Sequence[str],
    text_column: str | None,
    label_column: str | None,
) -> tuple[str | None, str | None]:
    """The columns named by the caller or by a usual name; if only one is missing and one column is left, that one."""
    records = [column for column, value in columns.items() if isinstance(value, dict) and "text" not in value]
    text = text_column or _named(strings, _TEXT, besides=label_column)
    answer = label_column or _named(usable, _LABEL, besides=text) or _named(usable, _TARGET, besides=text)
    answer = answer or _named(records, (*_RECORD, *_TARGET), besides=text)
    if answer is None and text is not None and not text_column:
        others = [column for column in usable if column != text]
        answer = others[0] if len(others) == 1 and isinstance(columns[others[0]], str | int | float) else None
    if text is None and answer is not None:
        others = [column for column in strings if column != answer]
        text = others[0] if len(others) == 1 else None
    return text, answer


def _named(columns: Sequence[str], names: Sequence[str], *, besides: str | None) -> str | None:
    """The column with the first of the usual names; "evidence_label" counts as a label."""
    lower = {column.lower(): column for column in columns if column != besides}
    for name in names:
        if name in lower:
            return lower[name]
    ends = [column for column in lower if names is _LABEL and column.endswith(("_label", "_category", "_class"))]
    return lower[ends[0]] if len(ends) == 1 else None


def _by_content(rows: Sequence[Row], first: str, second: str) -> tuple[str | None, str | None]:
    """(text, label) if exactly one of the two columns repeats a few short values, otherwise (None, None)."""
    repeats = [_repeats(rows, column) for column in (first, second)]
    if repeats == [True, False]:
        return second, first
    if repeats == [False, True]:
        return first, second
    return None, None


def _repeats(rows: Sequence[Row], column: str) -> bool:
    """Whether the values look like labels: short, and each occurring three times on average."""
    if any(isinstance(value := row.values.get(column), list) and len(value) > 1 for row in rows):
        return False  # several correct answers, not a label
    values = _filled(rows, column)
    return bool(values) and len(set(values)) * 3 <= len(values) and max(map(len, values)) <= 60


def _rarely_repeats(rows: Sequence[Row], column: str) -> bool:
    """Whether the values look like free text: twenty or more, most of them different."""
    values = _filled(rows, column)
    return len(values) >= 20 and len(set(values)) * 2 > len(values)


def _filled(rows: Sequence[Row], column: str) -> list[str]:
    return [str(row.values[column]) for row in rows if row.values.get(column) not in (None, "")]


def _not_found(rows: Sequence[Row], columns: Mapping[str, Any], text: str | None, answer: str | None) -> SlmkitError:
    """The error for a missing text or answer column: which was found, all columns, and the parameter to set."""
    if text is None and answer is None:
        what, fix = "no text column and no answer column found", "text_column=NAME label_column=NAME"
    elif answer is None:
        what, fix = f"no answer column found beside the text in {text!r}", "label_column=NAME"
        fix += ", or text_as=text to train on the text alone"
    elif isinstance(columns[answer], str) and (lists := _lists_of_texts(columns)):
        what = f"no text column found beside the answers in {answer!r}; {lists[0]!r} contains lists"
        fix = f'text_column=NAME, or write {lists[0]!r} as messages: [{{"role": "user", "content": …}}, …]'
    else:
        what, fix = f"no text column found beside the answers in {answer!r}", "text_column=NAME"
    near = _near_answer(columns) if answer is None else None
    has_spaces = rows[0].file.suffix.lower() in _TABLES and any(" " in column for column in columns)
    return SlmkitError(
        f"{what}. Columns: {listed(columns)}",
        where=rows[0].where,
        fix=f"set {fix}"
        + (f" (is it {near!r}?)" if near else "")
        + ("; if the first line is data, add a header line above it" if has_spaces else ""),
    )


def _lists_of_texts(columns: Mapping[str, Any]) -> list[str]:
    return [column for column, value in columns.items() if isinstance(value, list) and isinstance(value[0], str)]


def _near_answer(columns: Mapping[str, Any]) -> str | None:
    for column in columns:
        if difflib.get_close_matches(column.lower(), (*_LABEL, *_TARGET), n=1, cutoff=0.75):
            return column
    return None
