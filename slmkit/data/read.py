"""Reading files into rows that know where they stand: CSV, TSV, JSONL, JSON, Parquet, Arrow, Markdown, text, HTML.

    train.csv:3    {"text": "My card has not arrived.", "label": "card_arrival"}

Rows stream, except those of a .json file. What a row means is the business of shape.py.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.data.encoding import Encoding, find_encoding
from slmkit.data.json_rows import each_key_once, json_rows
from slmkit.errors import SlmkitError

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow")
DOCUMENT_SUFFIXES = (".md", ".markdown", ".txt", ".text", ".html", ".htm")
_DELIMITERS = (",", ";", "\t", "|")
_ABOUT = ("license", "licence", "readme", "source", "changelog", "notice")  # files about the data, not data

Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One record as the file holds it, and where it begins."""

    values: dict[str, Any]
    file: Path
    line: int  # counted from 1; the record's number in a Parquet file

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def read_rows(path: Path, *, encoding: str = "auto", on_note: Say | None = None) -> Iterator[Row]:
    """The rows of a file, or of the data files of a folder, in order.

    A document (.md, .txt, .html) is one row {"path", "text"}. Raises SlmkitError naming file and line.
    """
    say = on_note or (lambda text: None)
    for file in data_files(path, on_note=say):
        yield from _read_file(file, path if path.is_dir() else path.parent, encoding, say)


def data_files(path: Path, *, on_note: Say | None = None) -> list[Path]:
    """The files that hold the rows: the file itself; in a folder data.jsonl, else train*, else all of one kind.

    A folder with files that could be tables of different kinds is refused. Documents count where there is no table. A
    folder that `datasets` saved holds Arrow files and JSON about them.
    """
    say = on_note or (lambda text: None)
    if not path.exists():
        raise SlmkitError(f"there is no file or folder {path.name!r}", where=str(path), fix=_nearest_file(path))
    if path.is_file():
        return [path]
    if (path / "data.jsonl").exists():
        return [path / "data.jsonl"]
    found = sorted(p for p in path.rglob("*") if p.is_file() and not _is_hidden(p, path) and not _is_about(p))
    arrow = [p for p in found if p.suffix == ".arrow" and not p.name.startswith("cache-")]
    tables = arrow or [p for p in found if p.suffix.lower() in TABLE_SUFFIXES]
    documents = [p for p in found if p.suffix.lower() in DOCUMENT_SUFFIXES]
    if not tables and not documents:
        known = " ".join((*TABLE_SUFFIXES, *DOCUMENT_SUFFIXES))
        raise SlmkitError("the folder holds no data file", where=str(path), fix=f"give a file that ends in {known}")
    if not tables:
        empty = [p for p in documents if not p.stat().st_size]
        if not empty or len(empty) == len(documents):
            return documents
        named = ", ".join(p.relative_to(path).as_posix() for p in empty)
        say(f"{path.name}/: not read because empty: {_short(named)} ({len(empty):,} of {len(documents):,} documents)")
        return [p for p in documents if p.stat().st_size]
    if documents:
        say(f"{path.name}/: read its tables; {len(documents)} documents beside them were not read")
    chosen = (
        [p for p in tables if any(part.startswith("train") for part in p.relative_to(path).parts)]
        or [p for p in tables if not any(map(is_held_out, p.relative_to(path).parts))]
        or tables
    )
    kinds = {p.suffix.lower() for p in chosen}
    if len(kinds) > 1 or (len(chosen) > 1 and kinds <= {".csv", ".tsv"}):
        names = ", ".join(p.name for p in chosen[:6])
        raise SlmkitError(
            f"the folder holds several tables: {names}", where=str(path), fix=f"name one: data={chosen[0]}"
        )
    if len(chosen) < len(tables):
        inside = {p: p.relative_to(path).as_posix() for p in tables}
        left = ", ".join(inside[p] for p in tables if p not in chosen)
        say(f"{path.name}/: read {', '.join(inside[p] for p in chosen)}; left {left}")
    return chosen


def held_out_files(path: Path) -> list[Path]:
    """The test*, else validat*, valid* or dev* files of a folder: what its makers kept for evaluation."""
    if not path.is_dir() or (path / "data.jsonl").exists():
        return []
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in TABLE_SUFFIXES)
    return [p for p in files if p.name.startswith("test")] or [p for p in files if is_held_out(p.name)]


def is_held_out(name: str) -> bool:
    """Whether a file, folder or section is called what evaluation data are."""
    return name.lower().startswith(("test", "valid", "dev")) or name.lower().partition(".")[0] == "val"


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_about(path: Path) -> bool:
    return path.name.lower().startswith(_ABOUT)


def _nearest_file(path: Path) -> str:
    import difflib

    folder = path.parent if path.parent.is_dir() else Path()
    near = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=1, cutoff=0.5)
    return f"did you mean {folder / near[0]}?" if near else "give the path of an existing file or folder"


def _read_file(file: Path, root: Path, encoding: str, say: Say) -> Iterator[Row]:
    suffix = file.suffix.lower()
    if suffix not in (*TABLE_SUFFIXES, *DOCUMENT_SUFFIXES):
        known = " ".join((*TABLE_SUFFIXES, *DOCUMENT_SUFFIXES))
        raise SlmkitError(
            f"cannot read a {suffix} file" if suffix else "cannot tell what a file without a suffix holds",
            where=str(file),
            fix=f"use one of: {known}",
        )
    if file.stat().st_size == 0:
        raise SlmkitError("the file is empty", where=f"{file}:1", fix="give a file with at least one row of data")
    if suffix in (".parquet", ".arrow"):
        rows = _columns(file)
    else:
        found = find_encoding(file, encoding=encoding, on_note=say)
        if suffix in (".csv", ".tsv"):
            rows = _csv(file, found, say)
        elif suffix in (".jsonl", ".ndjson"):
            rows = _jsonl(file, found)
        elif suffix == ".json":
            rows = (Row(values, file, line) for values, line in json_rows(file, found))
        else:
            from slmkit.data.document_text import read_document

            text = read_document(file, found)
            rows = iter([Row({"path": file.relative_to(root).as_posix(), "text": text}, file, 1)])
    count = 0
    for row in rows:
        count += 1
        yield row
    if not count:
        raise SlmkitError("the file has no rows", where=f"{file}:1", fix="give a file with at least one row of data")


def _csv(file: Path, encoding: Encoding, say: Say) -> Iterator[Row]:
    """Rows of a CSV or TSV; `line` is where a row begins, true also where quoted values hold line breaks."""
    csv.field_size_limit(1 << 27)  # the default refuses values above 131,072 characters
    with open(file, encoding=encoding.name, errors=encoding.errors, newline="") as stream:
        delimiter = _delimiter(stream.readline())
        if file.suffix.lower() == ".csv" and delimiter != ",":
            say(f"{file.name} separates its columns by {delimiter!r}")
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
                    f"a broken row: {error}",
                    where=f"{file}:{line}",
                    fix='close each quote, and write a quote inside a quoted value twice: "say ""hi"""',
                ) from None
            if values and not header:
                header = _header(values, f"{file}:{line}")
            elif values:
                if len(values) != len(header):
                    shown = delimiter.join(values)
                    raise SlmkitError(
                        f"the row has {len(values)} values, the header {len(header)}: {_short(shown)!r}",
                        where=f"{file}:{line}",
                        fix=f"quote a value that holds {delimiter!r}, or add the missing values",
                    )
                yield Row(dict(zip(header, values, strict=True)), file, line)
            line = reader.line_num + 1


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)  # a tie (no separator at all) goes to the comma


def _header(values: list[str], where: str) -> list[str]:
    names = [value.strip() or f"column_{i}" for i, value in enumerate(values, 1)]
    for name in names:
        if names.count(name) > 1:
            raise SlmkitError(f"two columns are named {name!r}", where=where, fix="give each column its own name")
    return names


def _jsonl(file: Path, encoding: Encoding) -> Iterator[Row]:
    with open(file, encoding=encoding.name, errors=encoding.errors) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line, parse_constant=_no_number, object_pairs_hook=each_key_once)
                if "\\ud" in line.lower():  # half of a surrogate pair is no character
                    json.dumps(values, ensure_ascii=False).encode()
            except (ValueError, RecursionError) as error:
                why = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
                raise SlmkitError(
                    f"not valid JSON ({why}): {_short(line.strip())!r}",
                    where=f"{file}:{number}",
                    fix="write one complete JSON object a line",
                ) from None
            if not isinstance(values, dict):
                raise SlmkitError(
                    f"a JSON {type(values).__name__}, not an object: {_short(line.strip())!r}",
                    where=f"{file}:{number}",
                    fix='write one JSON object a line: {"text": ..., "label": ...}',
                )
            yield Row(values, file, number)


def _no_number(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's: as a label they would become a word."""
    raise ValueError(f"{name} is no JSON value; write null for a missing one")


def _columns(file: Path) -> Iterator[Row]:
    """Rows of a Parquet file, or of an Arrow file as `datasets` writes it; `line` counts them."""
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        if file.suffix.lower() == ".parquet":
            batches = pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1024)
        else:
            batches = pyarrow.ipc.open_stream(pyarrow.memory_map(str(file)))
        for batch in batches:
            for values in batch.to_pylist():
                number += 1
                yield Row(values, file, number)
    except pyarrow.ArrowInvalid as error:
        raise SlmkitError(
            f"not a {file.suffix[1:].title()} file: {str(error).splitlines()[0]}",
            where=f"{file}:{number + 1}",
            fix="write the file again",
        ) from None


def _short(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
