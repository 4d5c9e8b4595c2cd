"""The place of a row in its file: a line number, or in JSON and Parquet, where lines say little, the row's number."""

from __future__ import annotations


class Item(int):
    """The number of a row, from 1. After a file name it prints as " item 17 (line 120)", a line number as "17".

    Example: f"rows.json:{Item(17)}" -> "rows.json: item 17"; f"rows.csv:{17}" -> "rows.csv:17".
    """

    line = 0  # where the item begins; 0 if that is unknown, or if the whole file is one line
    noun = "item"

    def __format__(self, spec: str) -> str:
        if spec:
            return format(int(self), spec)
        return f" {self.noun} {int(self)}" + (f" (line {self.line})" if self.line else "")


class Record(Item):
    """The number of a record of a table: f"rows.parquet:{Record(17)}" -> "rows.parquet: row 17"."""

    noun = "row"
