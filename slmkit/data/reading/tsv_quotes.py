"""Decides whether quotes in a tab-separated file enclose values, as in a CSV, or are part of the text.

    "This is the best lamp,<tab>pos      a quotation that goes on in the next row: part of the text
    "He said ""hi"" to me"<tab>pos             a value in quotes, as spreadsheets write it

Most programs write TSV without quoting, spreadsheets write it with. What decides is which of the two reads each line
as one row with as many values as the header has.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from slmkit.data.reading.encoding import Encoding
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.open_file import open_bytes, open_text
from slmkit.errors import counted

_BLOCK_BYTES = 1 << 20
_QUOTE_AT_START = re.compile(rb'[\t\n\r\xbf]"')  # \xbf ends a byte order mark


def quotes_are_text(file: Path, encoding: Encoding, *, skipped: int, on_note: OnNote) -> bool:
    """Whether the quotes of a tab-separated file are part of its texts. If a value begins with one, this is reported.

    They are if each line has as many values as the header, and with quoting lines would be merged or refused. If both
    ways give the same rows, they enclose values only where a program would put them: around each value of a column,
    around each with a comma, or with a doubled quote inside.
    """
    if not _may_begin_with_quote(file, encoding):
        return True
    width = num_lines = num_quoted = 0
    for line in _lines(file, encoding, skipped):
        count = line.count("\t") + 1
        width = width or count
        if count != width:
            return False
        num_lines += 1
        if num_lines > 1 and (line.startswith('"') or '\t"' in line):
            num_quoted += 1
    if not num_quoted or width < 2:
        return False
    is_text = _num_quoted_rows(file, encoding, skipped, width) != num_lines or not _encloses(file, encoding, skipped)
    if is_text:
        on_note(
            f"{file.name}: quotes were read as part of the text: a value begins with one in"
            f" {counted(num_quoted, 'line')}, and without quoting each line has {width} values"
        )
    return is_text


def _may_begin_with_quote(file: Path, encoding: Encoding) -> bool:
    """Whether any value may begin with a quote; a quick look at the bytes, which finds most files without."""
    if "16" in encoding.name or "32" in encoding.name:
        return True
    before = b"\n"
    with open_bytes(file) as stream:
        while block := stream.read(_BLOCK_BYTES):
            if b'"' in block and _QUOTE_AT_START.search(before + block):
                return True
            before = block[-1:]
    return False


def _num_quoted_rows(file: Path, encoding: Encoding, skipped: int, width: int) -> int | None:
    """The number of rows with quoting, or None if it does not read the file."""
    with open_text(file, encoding) as stream:
        rows = [len(row) for row in _checked(csv.reader(islice(stream, skipped, None), delimiter="\t", strict=True))]
    return len(rows) if all(size == width for size in rows) else None


def _checked(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows with a value; an empty one, which is never as wide as the header, in place of an error."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield []
            return
        if row:
            yield row


def _encloses(file: Path, encoding: Encoding, skipped: int) -> bool:
    """Whether the quotes follow the rule of a program that encloses values."""
    lines = _lines(file, encoding, skipped)
    next(lines)  # the header
    num_lines = commas_inside = commas_outside = 0
    num_quoted: dict[int, int] = {}
    for line in lines:
        num_lines += 1
        for column, value in enumerate(line.rstrip("\r\n").split("\t")):
            if value.startswith('"') and value.endswith('"') and len(value) > 1:
                if '""' in value[1:-1]:
                    return True
                num_quoted[column] = num_quoted.get(column, 0) + 1
                commas_inside += "," in value
            else:
                commas_outside += "," in value
    return num_lines in num_quoted.values() or (commas_inside > 0 and not commas_outside)


def _lines(file: Path, encoding: Encoding, skipped: int) -> Iterator[str]:
    """The lines that are not empty, without the skipped first ones."""
    with open_text(file, encoding) as stream:
        yield from (line for line in islice(stream, skipped, None) if line.strip("\r\n"))
