"""Says when the first line of a table seems to be a row of data and not the names of the columns.

Where is my card?,card_arrival      <- read as names
My card is late,card_arrival        <- the same label below: so the line above was data
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from slmkit.data.read import Row

_NUMBER = re.compile(r"[-+]?\d+[.,]\d+|[-+]?\d{3,}")
_WORDS_OF_A_SENTENCE = 5
_LEAST_REPEATS = 2


def doubtful_header(rows: Sequence[Row]) -> str | None:
    """A sentence about the name that looks like data, or None; pass the first thousand rows of a CSV or TSV file.

    A name is doubted that stands among the values of its column, is a sentence, or is a number (not 0, 1, 2, the names
    that pandas gives).
    """
    if not rows or rows[0].file.suffix.lower() not in (".csv", ".tsv"):
        return None
    for column in rows[0].values:
        repeats = sum(row.values.get(column) == column for row in rows)
        if repeats >= _LEAST_REPEATS:
            why = f"{column!r} stands {repeats:,} times among the values below it"
        elif len(column.split()) >= _WORDS_OF_A_SENTENCE:
            why = f"{column!r} reads like a sentence"
        elif _NUMBER.fullmatch(column):
            why = f"{column!r} is a number"
        else:
            continue
        return f"the first line was taken for column names, but {why}: if it is data, add a line with names above it"
    return None
