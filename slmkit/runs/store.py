"""Runs on disk: finds, reads, locks and removes them, and follows their inputs down to raw files."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.yaml_lines import read_yaml
from slmkit.runs.fingerprint import content_hash

RUNS = Path("runs")
ANSWERS = ".answers"  # folder in RUNS: cached answers of systems, shared by all runs
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def read_result(folder: Path) -> dict[str, Any] | None:
    """result.json of a run; None if it or recipe.json is missing or damaged."""
    return read_json(folder / "result.json") if read_json(folder / "recipe.json") is not None else None


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file of a run; None if it is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_complete(folder: Path) -> bool:
    """Whether a run is done and still has all its files, each with its recorded size; added files are ignored."""
    files = (read_result(folder) or {}).get("files")
    return isinstance(files, dict) and files.items() <= file_sizes(folder).items()


def file_sizes(folder: Path) -> dict[str, int]:
    """The sizes of the files a stage wrote (tables, figures, models), without the records about the run."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in paths}
    return {name: size for name, size in sizes.items() if name not in _RECORDS}


_RECORDS = ("recipe.json", "result.json", "report.html", "error.txt")


def find_run(text: str) -> Path:
    """The folder of a run given as a path, a recipe name (the best by `rank`) or the start of a key."""
    path = Path(text)
    if (path / "recipe.json").is_file():
        return path
    found = sorted((p.parent for p in RUNS.rglob("recipe.json")), key=_modified)
    if of_name := [folder for folder in found if folder.parent == RUNS / text]:
        return max(of_name, key=rank)
    if of_key := [folder for folder in found if folder.name.startswith(text)]:
        return of_key[-1]
    options = sorted({folder.parent.relative_to(RUNS).as_posix() for folder in found})
    fix = lookup.suggest(text, options, "`slmkit report` lists all runs")
    raise SlmkitError(f"no run {text!r} in {RUNS}/", fix=fix)


def rank(folder: Path) -> tuple[bool, bool, float]:
    """A sort key for the runs of a recipe: runs without --break rank above others, then done ones, then newer ones."""
    record = read_json(folder / "recipe.json") or {}
    return not record.get("broken"), read_result(folder) is not None, _modified(folder)


def _modified(folder: Path) -> float:
    return (folder / "recipe.json").stat().st_mtime


def lineage(folder: Path) -> dict[str, Any]:
    """A run and, recursively, its inputs; "unchanged": a raw file still has its recorded hash."""
    recipe = read_json(folder / "recipe.json")
    if recipe is None:
        raise SlmkitError("cannot read the run's recipe.json", where=str(folder), fix="run the recipe again")
    metrics = (read_result(folder) or {}).get("metrics")
    inputs = []
    for row in recipe["inputs"]:
        run_dir = Path(row["dir"]) if row["kind"] == "recipe" else None
        if run_dir is not None and read_json(run_dir / "recipe.json") is not None:
            inputs.append({**row, "run": lineage(run_dir)})
        else:
            path = Path(row["path"]) if row.get("path") else None
            sha256 = content_hash(path, sample=row["kind"] == "model") if path is not None and path.exists() else None
            is_unchanged = sha256 == row.get("sha256") if sha256 else None
            inputs.append({**row, "unchanged": is_unchanged, **_frozen_from(path)})
    kept = {key: recipe[key] for key in ("name", "key", "stage", "profile", "seed", "with", "command", "started")}
    return {**kept, "dir": str(folder), "done": metrics is not None, "metrics": metrics, "inputs": inputs}


def _frozen_from(path: Path | None) -> dict[str, Any]:
    """The source and hash of the raw files a gold set was frozen from, as recorded in its card."""
    card = path / "card.yaml" if path else None
    values = read_yaml(card).value if card and card.is_file() else {}
    if not values.get("source_sha256"):
        return {}
    return {"frozen_from": {"source": values.get("source"), "sha256": values["source_sha256"]}}


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the run's lock; a second writer is refused at once. A kill releases it."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        fix = "wait until it ends; the same command then reuses its result"
        raise RefusedError("another slmkit process is writing this run", where=str(folder), fix=fix) from None
    except OSError as error:
        fix = "run in a folder you can write to" if error.errno not in DISK_FULL else "free some disk space"
        raise RefusedError(f"cannot write the run: {error.strerror}", where=str(folder), fix=fix) from None
    try:
        yield
    finally:
        lock.release()


def clear_run(folder: Path) -> None:
    """Deletes everything in a run except its lock; result.json first, so that a kill leaves no "done" run."""
    (folder / "result.json").unlink(missing_ok=True)
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink():
            shutil.rmtree(inner)
        elif inner.name != ".lock":
            inner.unlink()


def remove_run(folder: Path) -> None:
    """Deletes a run's folder."""
    clear_run(folder)
    shutil.rmtree(folder)
