"""Console output: progress lines, one progress bar, plain text when the output is not a terminal.

`quiet_libraries` silences the libraries' warnings, hub notices and nested bars, unless --verbose is given.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress

# Progress and notes: standard error, so that standard output has only results.
console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
# Results: standard output. A pipe has no width, and a hash broken across lines cannot be searched for.
out = Console(highlight=False, emoji=False, soft_wrap=True, width=None if sys.stdout and sys.stdout.isatty() else 200)

_MIN_COLUMN = 12  # the last column is wrapped to at least this width
_SECONDS_BEFORE_BAR = 2.0
_SECONDS_BETWEEN_LINES = 15.0  # progress lines where there is no terminal


def aligned(
    rows: Sequence[Sequence[str | Text]], *, right: Collection[int] = (), indent: int = 2, width: int | None = None
) -> list[Text]:
    """Rows as lines with aligned columns; the columns in `right` are right-aligned.

    A row of one cell is a heading and sets no column width. width: wraps the last cell of longer lines under itself.
    """
    lengths = [[cell_len(str(cell)) for cell in row] for row in rows]
    multiple = [row for row in lengths if len(row) > 1]  # a heading sets no width
    widths = [max(column) for column in zip(*multiple, strict=True)]
    start = indent + sum(widths[:-1]) + 2 * (len(widths) - 1)  # where the last column starts
    lines = []
    for row, row_lengths in zip(rows, lengths, strict=True):
        line = Text(" " * indent)
        for index, (cell, length) in enumerate(zip(row, row_lengths, strict=True)):
            space = " " * (widths[index] - length if len(row) > 1 else 0)
            text = cell
            if width and index == len(widths) - 1 and start + length > width >= start + _MIN_COLUMN:
                wrapped = Text.assemble(cell).wrap(out, width - start)
                for part in wrapped:
                    part.rstrip()
                text, space = Text("\n" + " " * start).join(wrapped), ""
            line.append(("  " if index else "") + (space if index in right else ""))
            line.append(text)
            line.append("" if index in right else space)
        line.rstrip()
        lines.append(line)
    return lines


def print_rows(rows: Sequence[Sequence[str | Text]], *, right: Collection[int] = ()) -> None:
    """Prints rows on standard output, aligned, and wrapped to the width of the terminal."""
    out.print(Text("\n").join(aligned(rows, right=right, indent=0, width=out.width if out.is_terminal else None)))


class Ticker:
    """Counts work done; after two seconds shows a bar with ETA and rate, or without a terminal a line every 15 s."""

    def __init__(self, description: str, total: int | None, unit: str, *, done: int = 0) -> None:
        self.description, self.total, self.unit = description, total, unit
        self.done, self.tokens = done, 0
        self._start = self._last_line = time.monotonic()
        self._first: tuple[float, int, int] | None = None  # seconds, units and tokens when the first units were done
        self._bar: Progress | None = None
        self._task: Any = None

    def advance(self, n: int = 1, *, tokens: int = 0, **values: float) -> None:
        """Counts n more units, and tokens for the rate; values such as loss=0.31 are shown beside the bar."""
        self.done += n
        self.tokens += tokens
        now = time.monotonic()
        if self._first is None:
            self._first = now, self.done, self.tokens
        if now - self._start < _SECONDS_BEFORE_BAR or console.quiet:
            return
        # The first units warm up, or follow what is not counted, such as loading: they give no rate.
        seconds, units, counted = now - self._first[0], self.done - self._first[1], self.tokens - self._first[2]
        rate = f"{counted / seconds:,.0f} tokens/s" if counted and seconds else ""
        details = "  ".join([*(f"{key} {value:.3g}" for key, value in values.items()), *([rate] if rate else [])])
        if console.is_terminal:
            if self._bar is None:
                self._open_bar()
            assert self._bar is not None
            self._bar.update(self._task, completed=self.done, details=details)
        elif now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            of = f"/{self.total:,}" if self.total else ""
            eta = f", {seconds / units * (self.total - self.done):,.0f} s left" if self.total and units else ""
            console.print(
                f"  {self.description}: {self.done:,}{of} {self.unit}{eta}  {details}".rstrip(), markup=False
            )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open_bar(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
        self._bar = Progress(
            *columns, TimeRemainingColumn(), TextColumn("{task.fields[details]}"), console=console, transient=True
        )
        # Its rate, too, counts from here.
        self._task = self._bar.add_task(f"  {self.description}", total=self.total, completed=self.done, details="")
        self._bar.start()


@contextmanager
def to_terminal() -> Iterator[None]:
    """Binds the console to the current standard error, so that it stays visible when sys.stderr is redirected."""
    console.file = sys.stderr
    try:
        yield
    finally:
        console._file = None  # no public way back to "whatever sys.stderr is"


@contextmanager
def progress(description: str, total: int | None = None, unit: str = "steps", *, done: int = 0) -> Iterator[Ticker]:
    """A Ticker for one long piece of work, always closed; done: units finished by earlier sessions."""
    ticker = Ticker(description, total, unit, done=done)
    try:
        yield ticker
    finally:
        ticker.close()


def quiet_libraries() -> None:
    """Silences what the model libraries print; call it before they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("BITSANDBYTES_NOWELCOME", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    # How long an idle OpenMP thread spins before it sleeps. Training nano on two free cores, tokens/s: the library's
    # default 11,070 (but up to 15 times slower beside other work), 3,000 spins 9,989, OMP_WAIT_POLICY=PASSIVE 6,246.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    import logging

    for name in ("transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "bm25s", "torch", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
