"""Detects a table without a header line, whose first row of data was read as column names.

Where is my card?,card_arrival      <- read as column names
My card is late,card_arrival        <- the same label occurs as a value: the line above is data
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from slmkit.data.reading.open_file import suffix_of
from slmkit.data.reading.read import Row

_NUMBER = re.compile(r"[-+]?\d+[.,]\d+|[-+]?\d{3,}")
_WORDS_OF_A_SENTENCE = 5
_LEAST_REPEATS = 2


def doubtful_header(rows: Sequence[Row]) -> str | None:
    """A warning about a column name that looks like data, or None; the first thousand rows of a CSV or TSV are enough.

    A name is suspicious if it also occurs as a value of its column, is a sentence, or is a number (except 0, 1, 2,
    which pandas writes).
    """
    if not rows or suffix_of(rows[0].file) not in (".csv", ".tsv"):
        return None
    for column in rows[0].values:
        repeats = sum(row.values.get(column) == column for row in rows)
        if repeats >= _LEAST_REPEATS:
            why = f"{column!r} occurs {repeats:,} times as a value"
        elif len(column.split()) >= _WORDS_OF_A_SENTENCE:
            why = f"{column!r} reads like a sentence"
        elif _NUMBER.fullmatch(column):
            why = f"{column!r} is a number"
        else:
            continue
        return f"the first line was read as column names, but {why}; if it is data, add a header line above it"
    return None
