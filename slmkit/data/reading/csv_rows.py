"""The rows of a CSV or TSV file, each with the line it begins on."""

from __future__ import annotations

import csv
import re
import string
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from slmkit.data.reading.encoding import Encoding
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.open_file import open_text, suffix_of
from slmkit.data.reading.tsv_quotes import quotes_are_text
from slmkit.errors import SlmkitError, counted

_DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r'"?sep=(.|\\t)"?\s*', re.IGNORECASE)  # the first line of a CSV made for Excel
_EXCERPT = 60  # characters of a row in an error message
_HEAD_ROWS = 1000  # these decide which columns hold numbers
_INVISIBLE = f"{string.whitespace}\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}"  # around a name
_PROBE_LINES, _FEWEST_LINES = 50, 4  # of a text file that may be a table
_MISSING = frozenset(("nan", "NaN", "NAN", "<NA>", "#N/A", "NULL", "null"))  # words that programs write for no value
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

Record = tuple[list[str], int]  # the values of a row, and its line


def csv_rows(file: Path, encoding: Encoding, *, on_note: OnNote) -> Iterator[tuple[dict[str, Any], int]]:
    """Each row's values and its first line, which is correct even if quoted values contain line breaks.

    Values are texts as written. A word such as "nan" is a missing value in a column of numbers, and text elsewhere.
    """
    csv.field_size_limit(1 << 27)  # the default refuses values above 131,072 characters
    with open_text(file, encoding) as stream:
        first = stream.readline()
        skipped = 0
        if named := _SEPARATOR_LINE.fullmatch(first):
            first, skipped = stream.readline(), 1
            on_note(f"{file.name}: the first line {named[0].strip()!r} names the separator and was skipped")
        delimiter = named[1].replace("\\t", "\t") if named else _delimiter(first, is_tsv=suffix_of(file) == ".tsv")
        if suffix_of(file) == ".csv" and delimiter != "," and not named:
            on_note(f"{file.name}: columns are separated by {delimiter!r}")
        plain = delimiter == "\t" and quotes_are_text(file, encoding, skipped=skipped, on_note=on_note)
        lines = chain([first], stream)
        if plain:
            reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
        else:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        records = _records(reader, file, delimiter, skipped, on_note)
        header = next(records, None)
        if header is None:
            return
        is_quoted = plain and all(len(name) > 1 and name[0] == name[-1] == '"' for name in header[0])
        names = _header([name[1:-1] if is_quoted else name for name in header[0]], f"{file}:{header[1]}")
        yield from _with_names(names, records, file, on_note)


def table_delimiter(file: Path, encoding: Encoding) -> str:
    """The separator that each of the first lines of a text file has equally often; "" if there is none."""
    with open_text(file, encoding) as stream:
        lines = [line for line in islice(stream, _PROBE_LINES) if line.strip()]
    counts = {delimiter: {line.count(delimiter) for line in lines} for delimiter in _DELIMITERS}
    equal = [delimiter for delimiter, found in counts.items() if len(found) == 1 and 0 not in found]
    return equal[-1] if equal and len(lines) >= _FEWEST_LINES else ""


def _records(reader: Any, file: Path, delimiter: str, skipped: int, note: OnNote) -> Iterator[Record]:
    """The rows with a value, all as long as the first. Long values that look like swallowed rows are reported."""
    width = swallowing = first = 0
    ends: set[str] = set()  # last values of the first rows
    next_line = 1 + skipped
    try:
        for values in reader:
            line, next_line = next_line, reader.line_num + skipped + 1
            if not values:
                continue
            if len(values) != width:
                width = _checked_width(values, width, delimiter, f"{file}:{line}")
            if next_line - line > 1 and _looks_like_rows(values, delimiter, ends):
                swallowing, first = swallowing + 1, first or line
            if len(ends) < _HEAD_ROWS:
                ends.add(values[-1])
            yield values, line
    except csv.Error as error:
        raise SlmkitError(
            f"not valid CSV: {error}",
            where=f"{file}:{next_line}",
            fix='close each quote, and double a quote inside a quoted value: "say ""hi"""',
        ) from None
    if swallowing:
        note(
            f"{file.name}: {counted(swallowing, 'quoted value')} with lines that look like whole rows (first: line"
            f" {first}); if they are rows, double each quote that begins one"
        )


def _checked_width(values: list[str], width: int, delimiter: str, where: str) -> int:
    """The number of values in the first row; an error if a later one (width > 0) has another number."""
    if width:
        above = "remove the lines above the header line, or "  # a title or a comment has no separator
        raise SlmkitError(
            f"{counted(len(values), 'value')} in a row, {counted(width, 'column')} in the header:"
            f" {delimiter.join(values)[:_EXCERPT]!r}",
            where=where,
            fix=f"{above if width == 1 else ''}quote values that contain {delimiter!r}, or add the missing values",
        )
    return len(values)


def _with_names(
    names: list[str], records: Iterator[Record], file: Path, note: OnNote
) -> Iterator[tuple[dict[str, Any], int]]:
    """The rows as objects. Words for a missing value are None in columns of numbers, and counted elsewhere."""
    head = list(islice(records, _HEAD_ROWS))
    numeric = _numeric_columns(names, head)
    num_missing = num_words = first = 0
    for values, line in chain(head, records):
        row: dict[str, Any] = dict(zip(names, values, strict=True))
        if not _MISSING.isdisjoint(values):
            for name in names:
                if row[name] in _MISSING:
                    if name in numeric:
                        row[name] = None
                        num_missing += 1
                    else:
                        num_words, first = num_words + 1, first or line
        yield row, line
    if num_missing:
        note(f"{file.name}: read as missing, in columns of numbers: {counted(num_missing, 'word')} such as 'nan'")
    if num_words:
        note(
            f"{file.name}: read as text: {counted(num_words, 'word')} such as 'nan' (first: line {first});"
            " leave a missing value empty"
        )


def _numeric_columns(names: list[str], head: Iterable[Record]) -> set[str]:
    """The columns whose values are numbers, aside from empty values and words such as "nan"."""
    found = set()
    for i, name in enumerate(names):
        filled = [values[i] for values, _ in head if values[i].strip() and values[i] not in _MISSING]
        if filled and all(_NUMBER.fullmatch(value.strip()) for value in filled):
            found.add(name)
    return found


def _looks_like_rows(values: list[str], delimiter: str, ends: set[str]) -> bool:
    """Whether each line of a row with line breaks looks like a row that ends in a known value: an unclosed quote."""
    if not any("\n" in value and delimiter in value for value in values):
        return False
    lines = delimiter.join(values).splitlines()
    return all(line.count(delimiter) == len(values) - 1 and line.rpartition(delimiter)[2] in ends for line in lines)


def _delimiter(header: str, *, is_tsv: bool) -> str:
    bare = re.sub(r'"[^"]*"', "", header)  # a separator inside quotes separates nothing
    if is_tsv and "\t" in bare:
        return "\t"
    return max(_DELIMITERS, key=bare.count)  # the comma wins a tie, such as no separator at all


def _header(values: list[str], where: str) -> list[str]:
    names = [value.strip(_INVISIBLE) or f"column_{i}" for i, value in enumerate(values, 1)]
    for name in names:
        if names.count(name) > 1:
            raise SlmkitError(
                f"two columns are named {name!r}", where=where, fix="use a different name for each column"
            )
    return names
