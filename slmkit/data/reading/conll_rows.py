"""The sentences of a CoNLL file, such as the named entities of CoNLL-2003: one token per line, its tag last.

    EU      NNP  B-ORG        columns are separated by tabs or spaces; the first is the token, the last the tag
    rejects VBZ  O            sentences by empty lines; -DOCSTART- lines and comments are skipped
    German  JJ   B-MISC       tags are O, and B-, I- (also E-, S-, L-, U-) with the type of the entity

Each sentence is a row {"data": parts, "tokens": [...], "tags": [...]}. The parts are the text with its entities, as in
the slots shape, from which prepare makes a record: [{"text": "EU", "entity": "ORG"}, {"text": " rejects "}, …]. The
tokens are joined by single spaces, since the file does not keep the original spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from slmkit.data.reading.encoding import Encoding
from slmkit.data.reading.open_file import open_text
from slmkit.errors import SlmkitError, counted

_TAG = re.compile(r"O|([BIESLU])-(\S+)")
_BEGINS, _ENDS = "BSU", "ESLU"  # tags that begin an entity, and that end one
_PROBE_LINES = 200


def conll_rows(file: Path, encoding: Encoding) -> Iterator[tuple[dict[str, Any], int]]:
    """Each sentence and the line of its first token."""
    tokens: list[str] = []
    tags: list[str] = []
    first = width = 0
    with open_text(file, encoding) as stream:
        for number, line in enumerate(stream, 1):
            cells = _cells(line)
            if not cells or cells[0] == "-DOCSTART-":
                if tokens:
                    yield _sentence(tokens, tags), first
                tokens, tags = [], []
                continue
            if line.startswith("#") and not (len(cells) > 1 and _TAG.fullmatch(cells[-1])):
                continue  # a comment; "# O" is a token
            if len(cells) < 2 or not _TAG.fullmatch(cells[-1]):
                raise SlmkitError(
                    f"expected a token and its tag, found {line.strip()[:60]!r}",
                    where=f"{file}:{number}",
                    fix="write one token per line with O, B-TYPE or I-TYPE as its last column",
                )
            if width and len(cells) != width:
                raise SlmkitError(
                    f"{counted(len(cells), 'column')} in a line, {width} in the lines before: {line.strip()[:60]!r}",
                    where=f"{file}:{number}",
                    fix="separate the columns by tabs, and do not leave a column out",
                )
            width = len(cells)
            first = first if tokens else number
            tokens.append(cells[0])
            tags.append(cells[-1])
    if tokens:
        yield _sentence(tokens, tags), first


def is_conll(file: Path, encoding: Encoding) -> bool:
    """Whether a text file holds tokens with tags, judged by its first lines; CoNLL files are often named .txt."""
    with open_text(file, encoding) as stream:
        lines = [
            cells for line in islice(stream, _PROBE_LINES) if (cells := _cells(line)) and not line.startswith("#")
        ]
    lines = [cells for cells in lines if cells[0] != "-DOCSTART-"]
    tags = {cells[-1] for cells in lines if len(cells) > 1 and _TAG.fullmatch(cells[-1])}
    is_tagged = all(len(cells) > 1 and _TAG.fullmatch(cells[-1]) for cells in lines)
    return bool(lines) and is_tagged and len({len(cells) for cells in lines}) == 1 and tags > {"O"}


def _cells(line: str) -> list[str]:
    line = line.strip("\r\n")
    return line.split("\t") if "\t" in line.strip() else line.split()


def _sentence(tokens: Sequence[str], tags: Sequence[str]) -> dict[str, Any]:
    parts: list[dict[str, str]] = []
    inside = ""  # the type of the entity that the next token may continue
    for i, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        found = _TAG.fullmatch(tag)
        assert found is not None
        prefix, kind = found.groups(default="")
        between = " " if i else ""
        if kind and kind == inside and prefix not in _BEGINS:
            parts[-1]["text"] += between + token
        elif kind:
            if between:
                parts.append({"text": between})
            parts.append({"text": token, "entity": kind})
        else:
            parts.append({"text": between + token})
        inside = "" if prefix in _ENDS else kind
    return {"data": parts, "tokens": list(tokens), "tags": list(tags)}
