"""Writes index.html: all runs of a folder on one self-contained page, newest first, with links to their reports."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from slmkit.files import write_atomically
from slmkit.report import formatting
from slmkit.report.headline import Headline, headline
from slmkit.report.read_run import RunFiles, read_run
from slmkit.report.render import render

_MAX_METRICS = 4


@dataclass(frozen=True)
class Entry:
    """One run as a row of the index."""

    run: RunFiles
    headline: Headline
    href: str | None  # of its report, if there is one
    metrics: list[tuple[str, str]]


def write_index(runs_dir: Path) -> Path:
    """Writes index.html into the runs folder and returns its path; unfinished and failed runs are listed too."""
    entries = [_entry(run_dir, runs_dir) for run_dir in _run_dirs(runs_dir)]
    entries.sort(key=lambda entry: (entry.run.recipe.started, entry.run.recipe.name), reverse=True)
    counts = Counter(entry.run.status for entry in entries)
    path = runs_dir / "index.html"
    write_atomically(path, render("index.html", script="index.js", entries=entries, counts=counts))
    return path


def _run_dirs(folder: Path) -> Iterator[Path]:
    """Every folder with a recipe.json; folders inside a run are skipped."""
    for where, folders, files in os.walk(folder):
        if "recipe.json" in files:
            folders.clear()
            yield Path(where)
        folders.sort()


def _entry(run_dir: Path, runs_dir: Path) -> Entry:
    run = read_run(run_dir)
    report = run_dir / "report.html"
    href = quote(report.relative_to(runs_dir).as_posix()) if report.is_file() else None
    metrics = [(name, formatting.number(metric.value)) for name, metric in run.result.metrics.items()]
    return Entry(run, headline(run), href, metrics[:_MAX_METRICS])
