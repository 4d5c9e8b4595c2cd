"""slmkit clean: removes the runs that nobody would miss."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from slmkit.console import out
from slmkit.runs.store import ANSWERS, RUNS, lineage, rank, read_result, remove_run


def clean_runs(*, dry_run: bool, as_json: bool) -> None:
    """Deletes unfinished runs, and the finished ones that neither are a recipe's newest nor were read by one.

    With them go the answers kept for other runs.
    """
    by_recipe: dict[Path, list[Path]] = {}
    for record in RUNS.rglob("recipe.json"):
        by_recipe.setdefault(record.parent.parent, []).append(record.parent)
    kept: set[Path] = set()
    for folders in by_recipe.values():
        done = [f for f in folders if read_result(f) is not None]
        if done:
            kept |= _made_from(lineage(max(done, key=rank)))
    doomed = [f for folders in by_recipe.values() for f in folders if f not in kept and not _is_locked(f)]
    doomed.sort()
    answers = RUNS / ANSWERS
    size = sum(p.stat().st_size for f in (*doomed, answers) for p in f.rglob("*") if p.is_file())
    if not dry_run:
        shutil.rmtree(answers, ignore_errors=True)
        for folder in doomed:
            remove_run(folder)
            if not any(folder.parent.iterdir()):
                shutil.rmtree(folder.parent)
    if as_json:
        print(json.dumps({"removed": [str(f) for f in doomed], "bytes": size, "dry_run": dry_run}))
        return
    for folder in doomed:
        out.print(str(folder), markup=False)
    out.print(f"{len(doomed)} runs, {size / 1e6:,.1f} MB {'would be removed' if dry_run else 'removed'}")


def _made_from(tree: dict[str, Any]) -> set[Path]:
    """The folders of a run and of every run it was made from."""
    return {Path(tree["dir"])}.union(*(_made_from(row["run"]) for row in tree["inputs"] if "run" in row))


def _is_locked(folder: Path) -> bool:
    """Whether a process is writing the run now."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True
