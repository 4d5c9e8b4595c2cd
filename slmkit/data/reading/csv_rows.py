"""The rows of a CSV or TSV file, each with the line it begins on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from slmkit.data.reading.encoding import Encoding
from slmkit.data.reading.find_files import OnNote
from slmkit.errors import SlmkitError

_DELIMITERS = (",", ";", "\t", "|")
_EXCERPT = 60  # characters of a row in an error message


def csv_rows(file: Path, encoding: Encoding, *, on_note: OnNote) -> Iterator[tuple[dict[str, str], int]]:
    """Each row's values and its first line, which is correct even if quoted values contain line breaks."""
    csv.field_size_limit(1 << 27)  # the default refuses values above 131,072 characters
    with open(file, encoding=encoding.name, errors=encoding.errors, newline="") as stream:
        delimiter = _delimiter(stream.readline())
        if file.suffix.lower() == ".csv" and delimiter != ",":
            on_note(f"{file.name}: columns are separated by {delimiter!r}")
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        header: list[str] = []
        line = 1
        while True:
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise SlmkitError(
                    f"not valid CSV: {error}",
                    where=f"{file}:{line}",
                    fix='close each quote, and double a quote inside a quoted value: "say ""hi"""',
                ) from None
            if values and not header:
                header = _header(values, f"{file}:{line}")
            elif values:
                if len(values) != len(header):
                    raise SlmkitError(
                        f"{len(values)} values in a row, {len(header)} columns in the header: "
                        f"{delimiter.join(values)[:_EXCERPT]!r}",
                        where=f"{file}:{line}",
                        fix=f"quote values that contain {delimiter!r}, or add the missing values",
                    )
                yield dict(zip(header, values, strict=True)), line
            line = reader.line_num + 1


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)  # the comma wins a tie, such as no separator at all


def _header(values: list[str], where: str) -> list[str]:
    names = [value.strip() or f"column_{i}" for i, value in enumerate(values, 1)]
    for name in names:
        if names.count(name) > 1:
            raise SlmkitError(
                f"two columns are named {name!r}", where=where, fix="use a different name for each column"
            )
    return names
