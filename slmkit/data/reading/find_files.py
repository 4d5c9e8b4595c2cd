"""Finds the files that contain the rows of a data set: a file, or the right files of a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from slmkit.data.reading.beir import beir_folder, is_beir
from slmkit.data.reading.open_file import REFUSED, stem_of, suffix_of
from slmkit.data.reading.split_names import Split, split_of_file
from slmkit.errors import SlmkitError, counted

CONLL_SUFFIXES = (".conll", ".bio", ".iob", ".iob2")
TABLE_SUFFIXES = (
    ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather", *CONLL_SUFFIXES
)  # fmt: skip
DOCUMENT_SUFFIXES = (".md", ".markdown", ".txt", ".text", ".html", ".htm")
_READ = (*TABLE_SUFFIXES, *DOCUMENT_SUFFIXES)
SUFFIXES = " ".join(_READ) + ", and .gz .bz2 .xz of them"
_ABOUT = ("license", "licence", "readme", "source", "changelog", "notice")  # files about the data, not data
_METADATA = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "package.json")
_TEMPORARY = ("~", "#")  # first letters of the files that editors and Office write beside an open one: "~$a.csv"
_SYSTEM = ("__macosx", "$recycle.bin")  # folders of operating systems
_LISTED = 6  # files in an error message

OnNote = Callable[[str], None]


def data_files(path: Path, *, on_note: OnNote | None = None) -> list[Path]:
    """The files with the rows: the file itself, or of a folder data.jsonl, the training files, or all of one kind.

    Folders saved by `datasets` contain Arrow files and JSON metadata: only the Arrow files count. Documents are read
    only if the folder has no table. Files that are read together are reported.
    Raises: SlmkitError for a folder with no data file, or with tables in several formats to choose from.
    """
    note = on_note or (lambda text: None)
    if not path.exists():
        raise SlmkitError(f"no file or folder {path.name!r}", where=str(path), fix=_nearest_file(path))
    if path.is_file():
        return [path]
    if (path / "data.jsonl").exists():
        return [path / "data.jsonl"]
    found = _files_in(path)
    if temporary := [p for p in _visible_files(path) if _is_temporary(p, path) and suffix_of(p) in _READ]:
        note(f"{path.name}/: left out temporary files of other programs: {_names(temporary, path)}")
    tables = _tables(found, path)
    if is_beir(path):
        return _training_tables(tables, path, note)
    documents = [p for p in found if suffix_of(p) in DOCUMENT_SUFFIXES and p not in tables]
    if unread := [p for p in found if suffix_of(p) in REFUSED]:
        command = REFUSED[suffix_of(unread[0])]
        what = f"this folder holds compressed files that are not read: {_names(unread, path)}"
        if not tables and not documents:
            raise SlmkitError(what, where=str(path), fix=f"decompress them first: {command} {unread[0].name}")
        note(what)
    if not tables and not documents:
        raise SlmkitError("no data file in this folder", where=str(path), fix=f"supported file types: {SUFFIXES}")
    if not tables:
        return _non_empty(documents, path, note)
    if documents:
        note(f"{path.name}/: read the tables, left out {counted(len(documents), 'document')}")
    return _training_tables(tables, path, note)


def held_out_files(path: Path) -> list[Path]:
    """The test files of a folder, or without any its validation files: what its authors reserved for evaluation.

    Files that data_files would train on are not among them.
    """
    if not path.is_dir() or (path / "data.jsonl").exists():
        return []
    tables = _tables(_files_in(path), path)
    splits = {p: split_of_file(p, path) for p in tables}
    wanted: tuple[Split, Split] = ("test", "validation")
    return next((files for split in wanted if (files := _of(splits, split)) and len(files) < len(tables)), [])


def validation_files(path: Path, *, is_gold_given: bool = False) -> list[Path]:
    """The validation files of a folder beside its training files, if they are not reserved for evaluation.

    They are, in a folder without test files, unless the gold questions come from elsewhere (`is_gold_given`).
    """
    if not path.is_dir() or (path / "data.jsonl").exists():
        return []
    splits = {p: split_of_file(p, path) for p in _tables(_files_in(path), path)}
    found = _of(splits, "validation")
    has_training = bool(_of(splits, "train", None))
    return found if has_training and (is_gold_given or _of(splits, "test")) else []


def are_parts(files: Sequence[Path]) -> bool:
    """Whether files are parts of one table: their names differ in numbers only, such as part-00000 and part-00001."""
    return len({re.sub(r"\d+", "0", stem_of(p)).lower() for p in files}) == 1


def _files_in(folder: Path) -> list[Path]:
    return [p for p in _visible_files(folder) if not _is_about(p) and not _is_temporary(p, folder)]


def _visible_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not _is_hidden(p, folder))


def _tables(found: Sequence[Path], folder: Path) -> list[Path]:
    """The tables among the files; text files that are named as splits and hold tagged tokens count."""
    if is_beir(folder):
        return [p for p in found if beir_folder(p) == folder]
    arrow = [p for p in found if suffix_of(p) == ".arrow" and not p.name.startswith("cache-")]
    tables = arrow or [p for p in found if suffix_of(p) in TABLE_SUFFIXES]
    return tables or [p for p in found if suffix_of(p) == ".txt" and split_of_file(p, folder) and _holds_tags(p)]


def _holds_tags(file: Path) -> bool:
    from slmkit.data.reading.conll_rows import is_conll
    from slmkit.data.reading.encoding import Encoding

    return is_conll(file, Encoding("utf-8", "replace"))


def _of(splits: dict[Path, Split | None], *wanted: Split | None) -> list[Path]:
    return [file for file, split in splits.items() if split in wanted]


def _non_empty(documents: list[Path], folder: Path, note: OnNote) -> list[Path]:
    empty = [p for p in documents if not p.stat().st_size]
    if not empty or len(empty) == len(documents):
        return documents
    names = ", ".join(p.relative_to(folder).as_posix() for p in empty[:5])
    more = f" and {len(empty) - 5:,} more" if len(empty) > 5 else ""
    verb = "is" if len(empty) == 1 else "are"
    note(f"{folder.name}/: {len(empty):,} of {counted(len(documents), 'document')} {verb} empty: {names}{more}")
    return [p for p in documents if p.stat().st_size]


def _training_tables(tables: list[Path], folder: Path, note: OnNote) -> list[Path]:
    """The training files, otherwise the files that are not a split; read_rows refuses different columns."""
    splits = {p: split_of_file(p, folder) for p in tables}
    chosen = _of(splits, "train") or _of(splits, None) or tables
    kinds = {suffix_of(p) for p in chosen}
    if len(chosen) > 1 and len({splits[p] for p in chosen}) > 1:
        raise SlmkitError(
            f"this folder has splits for evaluation and none for training: {_names(chosen, folder)}",
            where=str(folder),
            fix=f"choose the file to train on: data={chosen[0]}",
        )
    if len(kinds) > 1:
        raise SlmkitError(
            f"tables in several formats in this folder, which may be the same rows twice: {_names(chosen, folder)}",
            where=str(folder),
            fix=f"choose one: data={chosen[0]}",
        )
    skipped = [p for p in tables if p not in chosen]
    if skipped:
        note(f"{folder.name}/: read {_names(chosen, folder, 20)}; not for training: {_names(skipped, folder, 20)}")
    elif len(chosen) > 1:
        one = "" if are_parts(chosen) or splits[chosen[0]] == "train" else f" (to read only one: data={chosen[0]})"
        note(f"{folder.name}/: read {len(chosen)} files together: {_names(chosen, folder)}{one}")
    return chosen


def _names(files: Sequence[Path], folder: Path, most: int = _LISTED) -> str:
    names = ", ".join(p.relative_to(folder).as_posix() for p in files[:most])
    return names + (f" and {len(files) - most:,} more" if len(files) > most else "")


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_temporary(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return parts[-1].startswith(_TEMPORARY) or any(part.lower() in _SYSTEM for part in parts[:-1])


def _is_about(path: Path) -> bool:
    return path.name.lower().startswith(_ABOUT) or path.name.lower() in _METADATA


def _nearest_file(path: Path) -> str:
    import difflib

    folder = path.parent if path.parent.is_dir() else Path()
    near = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=1, cutoff=0.5)
    return f"did you mean {folder / near[0]}?" if near else "use the path of an existing file or folder"
