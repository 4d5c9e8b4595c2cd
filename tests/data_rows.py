"""Rows of a data file that is not written, and what is made from them."""

import shlex
from pathlib import Path

from slmkit.cli.arguments import parse
from slmkit.data.convert import convert, parts_of
from slmkit.data.find_shape import find_shape
from slmkit.data.reading.read import Row


def rows(*values, file="a.jsonl"):
    """The values as rows of a file, one a line."""
    return [Row(value, Path(file), line) for line, value in enumerate(values, 1)]


def pairs(values, words):
    """(input, target) of each row that the words of a command line read from these values."""
    read = rows(*values)
    shape = find_shape(read, **parse(["prepare", *shlex.split(words)])[1])
    made = [one for row in read for part in parts_of(row, shape) for one in convert(part, shape)]
    return [(one.input, one.target) for one in made]
