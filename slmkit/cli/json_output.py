"""What --json promises: one JSON value on standard output, and all else on standard error, whoever writes it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def json_only() -> Iterator[None]:
    """Holds the last JSON value printed back until the end; prints, libraries and subprocesses go to standard error.

    What is no number in JSON (NaN, infinity) becomes null.
    """
    real, held = sys.stdout, _LastValue()
    with _to_standard_error(), contextlib.redirect_stdout(held):
        yield
    if held.last and real is not None:
        real.write(json.dumps(_value(held.last), ensure_ascii=False) + "\n")
        real.flush()


class _LastValue(io.TextIOBase):
    """A standard output that keeps the last JSON value printed, and passes all else on."""

    last = ""
    _ends_its_line = False  # whether the line break of that value is still to come

    def write(self, text: str) -> int:
        passed_on = "" if self._ends_its_line and text == "\n" else text
        self._ends_its_line = text.startswith("{") and _value(text) is not None
        if self._ends_its_line:
            passed_on, self.last = self.last and f"{self.last}\n", text
        if sys.stderr is not None:
            sys.stderr.write(passed_on)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1  # standard error by now


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return None


@contextlib.contextmanager
def _to_standard_error() -> Iterator[None]:
    """Makes file descriptor 1, which subprocesses inherit, another name of standard error."""
    if sys.stdout is None:  # closed by the caller: nobody reads it
        yield
        return
    kept = os.dup(1)
    try:
        sys.stdout.flush()
        with contextlib.suppress(OSError):
            os.dup2(2, 1)
        yield
        sys.stdout.flush()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
