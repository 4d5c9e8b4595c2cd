"""Finds the files that contain the rows of a data set: a file, or the right files of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slmkit.errors import SlmkitError

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow")
DOCUMENT_SUFFIXES = (".md", ".markdown", ".txt", ".text", ".html", ".htm")
SUFFIXES = " ".join((*TABLE_SUFFIXES, *DOCUMENT_SUFFIXES))
_ABOUT = ("license", "licence", "readme", "source", "changelog", "notice")  # files about the data, not data

OnNote = Callable[[str], None]


def data_files(path: Path, *, on_note: OnNote | None = None) -> list[Path]:
    """The files with the rows: the file itself, or of a folder data.jsonl, train*, or all files of one kind.

    Folders saved by `datasets` contain Arrow files and JSON metadata: only the Arrow files count. Documents are read
    only if the folder has no table.
    Raises: SlmkitError for a folder with no data file, or with several tables to choose from.
    """
    note = on_note or (lambda text: None)
    if not path.exists():
        raise SlmkitError(f"no file or folder {path.name!r}", where=str(path), fix=_nearest_file(path))
    if path.is_file():
        return [path]
    if (path / "data.jsonl").exists():
        return [path / "data.jsonl"]
    found = sorted(p for p in path.rglob("*") if p.is_file() and not _is_hidden(p, path) and not _is_about(p))
    arrow = [p for p in found if p.suffix == ".arrow" and not p.name.startswith("cache-")]
    tables = arrow or [p for p in found if p.suffix.lower() in TABLE_SUFFIXES]
    documents = [p for p in found if p.suffix.lower() in DOCUMENT_SUFFIXES]
    if not tables and not documents:
        raise SlmkitError("no data file in this folder", where=str(path), fix=f"supported file types: {SUFFIXES}")
    if not tables:
        return _non_empty(documents, path, note)
    if documents:
        note(f"{path.name}/: read the tables, {len(documents)} documents were not read")
    return _training_tables(tables, path, note)


def held_out_files(path: Path) -> list[Path]:
    """The test files of a folder, or without any its validation files: what its authors reserved for evaluation."""
    if not path.is_dir() or (path / "data.jsonl").exists():
        return []
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in TABLE_SUFFIXES)
    return [p for p in files if p.name.startswith("test")] or [p for p in files if is_held_out(p.name)]


def is_held_out(name: str) -> bool:
    """Whether a file, folder or section has the name of an evaluation split: test*, valid*, dev* or val."""
    return name.lower().startswith(("test", "valid", "dev")) or name.lower().partition(".")[0] == "val"


def _non_empty(documents: list[Path], folder: Path, note: OnNote) -> list[Path]:
    empty = [p for p in documents if not p.stat().st_size]
    if not empty or len(empty) == len(documents):
        return documents
    names = ", ".join(p.relative_to(folder).as_posix() for p in empty[:5])
    more = f" and {len(empty) - 5:,} more" if len(empty) > 5 else ""
    note(f"{folder.name}/: {len(empty):,} of {len(documents):,} documents are empty: {names}{more}")
    return [p for p in documents if p.stat().st_size]


def _training_tables(tables: list[Path], folder: Path, note: OnNote) -> list[Path]:
    """The tables named train*, otherwise all but evaluation splits, otherwise all; they must be of one kind."""
    chosen = (
        [p for p in tables if any(part.startswith("train") for part in p.relative_to(folder).parts)]
        or [p for p in tables if not any(map(is_held_out, p.relative_to(folder).parts))]
        or tables
    )
    kinds = {p.suffix.lower() for p in chosen}
    if len(kinds) > 1 or (len(chosen) > 1 and kinds <= {".csv", ".tsv"}):
        names = ", ".join(p.name for p in chosen[:6])
        raise SlmkitError(
            f"several tables in this folder: {names}", where=str(folder), fix=f"choose one: data={chosen[0]}"
        )
    if len(chosen) < len(tables):
        inside = {p: p.relative_to(folder).as_posix() for p in tables}
        skipped = ", ".join(inside[p] for p in tables if p not in chosen)
        note(f"{folder.name}/: read {', '.join(inside[p] for p in chosen)}; skipped {skipped}")
    return chosen


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_about(path: Path) -> bool:
    return path.name.lower().startswith(_ABOUT)


def _nearest_file(path: Path) -> str:
    import difflib

    folder = path.parent if path.parent.is_dir() else Path()
    near = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=1, cutoff=0.5)
    return f"did you mean {folder / near[0]}?" if near else "use the path of an existing file or folder"
