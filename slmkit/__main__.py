"""The command slmkit, also as python -m slmkit."""

from __future__ import annotations

import os
import sys

from slmkit.cli import main

# They only look: nothing of theirs still writes when they end.
_LOOKING = {"ls", "show", "check", "schema", "--help", "--version"}


def command() -> None:
    """Runs the command line; a command that only looks leaves at once.

    Taking Python's modules down one by one is a fifth of the time of `slmkit show`.
    """
    try:
        main()
    except SystemExit as end:
        if sys.argv[1] not in _LOOKING or not isinstance(end.code, int):
            raise
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody reads on: Python knows how to end there
            raise end from None
        os._exit(end.code)


if __name__ == "__main__":
    command()
