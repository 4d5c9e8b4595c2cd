"""A run's directory, and the Run object through which a stage does all its writing.

    runs/loop/train/3f9c0a1b2d4e/
        recipe.json    arguments, the origin of each value, and inputs; written first
        log.jsonl      one line per step: curves
        notes.jsonl    one line per automatic choice or warning
        <name>.jsonl   tables
        figures/       charts, SVG
        result.json    metrics, verdict, environment; written last, so its presence means done
        report.html

Files are written next to their destination and then moved, so a kill leaves the old file or the new one, never half.
Lines are appended to the log and the notes one at a time; readers skip a line that was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.console import Ticker, console, progress
from slmkit.errors import SlmkitError
from slmkit.files import write_atomically
from slmkit.types import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_encode = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes an encoder for each row

OnLog = Callable[[int, Mapping[str, float]], None]  # (step, values), called after each line of log.jsonl


class Run:
    """What a stage works with: where to write, the seed, and the newest checkpoint when resuming."""

    def __init__(
        self,
        dir: Path,
        *,
        seed: int = 0,
        name: str = "",
        is_main: bool = True,
        answers_dir: Path | None = None,
        refresh_answers: bool = False,
        on_log: OnLog | None = None,
    ) -> None:
        self.answers_dir = answers_dir  # cached answers that runs share; None: no cache
        self.refresh_answers = refresh_answers  # query the system even if an answer is cached
        self.dir, self.seed, self.name, self.is_main, self.on_log = dir, seed, name, is_main, on_log
        self.metrics: dict[str, float | Score] = {}
        self.verdict_text: str | None = None
        self.verdict_positive = True
        if is_main:
            dir.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path | None:
        """The newest folder checkpoints/checkpoint-<step>, or None on the first start."""
        folders = [p for p in (self.dir / "checkpoints").glob("checkpoint-*") if p.name.rpartition("-")[2].isdigit()]
        return max(folders, key=lambda p: int(p.name.rpartition("-")[2]), default=None)

    def path(self, name: str) -> Path:
        """The path for a file or folder that the stage writes; its parent exists."""
        path = self.dir / name
        if self.is_main:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, step: int, **values: float) -> None:
        """Adds one line to log.jsonl: a point on the curves of the report."""
        self._append("log.jsonl", {"step": step, **values})
        if self.on_log is not None:
            self.on_log(step, values)

    def note(self, text: str) -> None:
        """Prints one line and keeps it for the report: an automatic choice with its reason, or a warning."""
        if self.is_main:
            console.print(f"  {text}", style="dim", markup=False)
        self._append("notes.jsonl", {"text": text})

    def table(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
        """Writes <name>.jsonl, one JSON object per line: a table in the report."""
        path = self.path(f"{name}.jsonl")
        if self.is_main:
            write_atomically(path, (_encode(row) + "\n" for row in rows))
        return path

    def figure(self, name: str, figure: Figure) -> Path:
        """Saves a matplotlib figure as figures/<name>.svg; text stays text."""
        path = self.path(f"figures/{name}.svg")
        if self.is_main:
            import io

            import matplotlib

            buffer = io.StringIO()
            with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "slmkit"}):
                figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
            write_atomically(path, buffer.getvalue())
        return path

    def metric(self, **values: float | Score) -> None:
        """Records metrics for result.json and for the checks of `expect`; a later value replaces an earlier one."""
        for name, value in values.items():
            if not isinstance(value, Score) and not hasattr(value, "__float__"):
                fix = f"pass a number or a Score to run.metric({name}=…)"
                raise SlmkitError(f"metric {name} is {value!r}, not a number", where=str(self.dir), fix=fix)
        self.metrics.update(values)

    def verdict(self, text: str, *, positive: bool = True) -> None:
        """Records the conclusion in one sentence; positive=False makes the command exit with code 2."""
        self.verdict_text, self.verdict_positive = text, positive

    def progress(
        self, description: str, total: int | None = None, unit: str = "steps", *, done: int = 0
    ) -> AbstractContextManager[Ticker]:
        """A progress bar: `with run.progress("train", 60) as bar: bar.advance(1, tokens=512, loss=0.3)`.

        done: how many of the total were done before the run was resumed.
        """
        return progress(description, total, unit, done=done)

    def _append(self, name: str, row: Mapping[str, Any]) -> None:
        if self.is_main:
            with open(self.path(name), "a", encoding="utf-8") as file:
                file.write(_encode(row) + "\n")
