"""The runs on disk: found by name, read, followed down to raw files, removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.yaml_lines import read_yaml
from slmkit.runs.fingerprint import content_hash

RUNS = Path("runs")
ANSWERS = ".answers"  # in it: what systems answered, for other runs that ask the same


def read_result(folder: Path) -> dict[str, Any] | None:
    """result.json of a run; None where there is none, or where it or recipe.json cannot be read."""
    return read_json(folder / "result.json") if read_json(folder / "recipe.json") is not None else None


def read_json(path: Path) -> dict[str, Any] | None:
    """A record of a run; None where it is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_complete(folder: Path) -> bool:
    """Whether a run is done and still has every file it had then, each of the same size; added files do not matter."""
    files = (read_result(folder) or {}).get("files")
    return isinstance(files, dict) and files.items() <= file_sizes(folder).items()


def file_sizes(folder: Path) -> dict[str, int]:
    """The files a stage left in its run, with their sizes: tables, figures, models; not the records about them."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in paths}
    return {name: size for name, size in sizes.items() if name not in _RECORDS}


_RECORDS = ("recipe.json", "result.json", "report.html", "error.txt")


def find_run(text: str) -> Path:
    """The folder of a run given as a path, as "loop/train" (its newest, see `rank`), or as the start of a key."""
    path = Path(text)
    if (path / "recipe.json").is_file():
        return path
    found = sorted((p.parent for p in RUNS.rglob("recipe.json")), key=_changed)
    if of_name := [folder for folder in found if folder.parent == RUNS / text]:
        return max(of_name, key=rank)
    if of_key := [folder for folder in found if folder.name.startswith(text)]:
        return of_key[-1]
    options = sorted({folder.parent.relative_to(RUNS).as_posix() for folder in found})
    fix = lookup.suggest(text, options, "`slmkit report` lists all runs")
    raise SlmkitError(f"no run {text!r} under {RUNS}/", fix=fix)


def rank(folder: Path) -> tuple[bool, bool, float]:
    """Sorts the runs of a recipe, last the one its name means: not made by --break, done, the newest."""
    record = read_json(folder / "recipe.json") or {}
    return not record.get("broken"), read_result(folder) is not None, _changed(folder)


def _changed(folder: Path) -> float:
    return (folder / "recipe.json").stat().st_mtime


def lineage(folder: Path) -> dict[str, Any]:
    """A run with all it was made from, recursively; "unchanged": a raw file still has the hash it had then."""
    recipe = read_json(folder / "recipe.json")
    if recipe is None:
        raise SlmkitError("the run's recipe.json cannot be read", where=str(folder), fix="run its recipe again")
    metrics = (read_result(folder) or {}).get("metrics")
    inputs = []
    for row in recipe["inputs"]:
        made = Path(row["dir"]) if row["kind"] == "recipe" else None
        if made is not None and read_json(made / "recipe.json") is not None:
            inputs.append({**row, "run": lineage(made)})
        else:
            path = Path(row["path"]) if row.get("path") else None
            now = content_hash(path, sample=row["kind"] == "model") if path is not None and path.exists() else None
            inputs.append({**row, "unchanged": now == row.get("sha256") if now else None, **_frozen_from(path)})
    kept = {key: recipe[key] for key in ("name", "key", "stage", "profile", "seed", "with", "command", "started")}
    return {**kept, "dir": str(folder), "done": metrics is not None, "metrics": metrics, "inputs": inputs}


def _frozen_from(path: Path | None) -> dict[str, Any]:
    """The raw files of a gold set that was frozen from some, as its card names them, and their hash."""
    card = path / "card.yaml" if path else None
    values = read_yaml(card).value if card and card.is_file() else {}
    if not values.get("source_sha256"):
        return {}
    return {"frozen_from": {"source": values.get("source"), "sha256": values["source_sha256"]}}


def clear_run(folder: Path) -> None:
    """Deletes all of a run but its lock; result.json goes first, so that what a kill leaves is not called done."""
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
