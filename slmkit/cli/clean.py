"""slmkit clean: removes runs that are no longer needed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from slmkit.cli.options import AsJson
from slmkit.console import out
from slmkit.errors import counted
from slmkit.runs.store import ANSWERS, RUNS, lineage, rank, read_json, read_result, remove_run


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed; remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove unfinished and superseded runs.

    Keeps the newest finished run of each recipe on each data, and every run it was made from. Cached answers are
    removed too.
    """
    removed = sorted(_superseded_runs())
    answers = RUNS / ANSWERS
    size = sum(path.stat().st_size for f in (*removed, answers) for path in f.rglob("*") if path.is_file())
    if not dry_run:
        shutil.rmtree(answers, ignore_errors=True)
        for folder in removed:
            remove_run(folder)
            if not any(folder.parent.iterdir()):
                shutil.rmtree(folder.parent)
    if as_json:
        print(json.dumps({"removed": [str(f) for f in removed], "bytes": size, "dry_run": dry_run}))
        return
    for folder in removed:
        out.print(str(folder), markup=False)
    out.print(f"{counted(len(removed), 'run')}, {size / 1e6:,.1f} MB {'would be removed' if dry_run else 'removed'}")


def _superseded_runs() -> list[Path]:
    """Unfinished runs, and finished ones that are neither the newest of their recipe and data nor an input of one."""
    by_recipe: dict[tuple[Path, frozenset[str]], list[Path]] = {}
    for record in RUNS.rglob("recipe.json"):
        by_recipe.setdefault((record.parent.parent, frozenset(_data_of(record.parent))), []).append(record.parent)
    kept: set[Path] = set()
    for folders in by_recipe.values():
        finished = [folder for folder in folders if read_result(folder) is not None]
        if finished:
            kept |= _folders_of(lineage(max(finished, key=rank)))
    return [f for folders in by_recipe.values() for f in folders if f not in kept and not _is_locked(f)]


def _data_of(folder: Path) -> Iterator[str]:
    """The data files that a run was made from, directly or by the runs it read."""
    for row in (read_json(folder / "recipe.json") or {}).get("inputs", []):
        if row["kind"] == "recipe":
            yield from _data_of(Path(row["dir"]))
        elif row["kind"] == "file" and row["parameter"] == "data":
            yield str(row["name"])


def _folders_of(tree: dict[str, Any]) -> set[Path]:
    """The folders of a run and of every run it was made from."""
    return {Path(tree["dir"])}.union(*(_folders_of(row["run"]) for row in tree["inputs"] if "run" in row))


def _is_locked(folder: Path) -> bool:
    """Whether a process is writing the run now."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True
