"""--json: exactly one JSON value on standard output; everything else goes to standard error."""

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
    """Prints the last JSON value at the end; other prints, libraries and subprocesses go to standard error.

    NaN and infinity, which JSON does not have, become null.
    """
    real, last_value = sys.stdout, _LastValue()
    with _to_standard_error(), contextlib.redirect_stdout(last_value):
        yield
    if last_value.last and real is not None:
        real.write(json.dumps(_value(last_value.last), ensure_ascii=False) + "\n")
        real.flush()


class _LastValue(io.TextIOBase):
    """A standard output that keeps the last JSON value and passes everything else to standard error."""

    last = ""
    _ends_its_line = False  # whether the newline after that value is still to come

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
        return 1  # redirected to standard error


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return None


@contextlib.contextmanager
def _to_standard_error() -> Iterator[None]:
    """Redirects file descriptor 1, which subprocesses inherit, to standard error."""
    if sys.stdout is None:  # closed by the caller
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
