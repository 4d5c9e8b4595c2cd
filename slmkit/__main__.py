"""The command slmkit, also as python -m slmkit."""

from __future__ import annotations

import os
import sys

from slmkit.cli import main


def command() -> None:
    """Runs the command line and leaves at once where nothing heavy is loaded.

    Taking Python's modules down one by one is a fifth of the time of `slmkit show`. Where torch or other processes
    were at work, they are let end as they want to.
    """
    try:
        main()
    except SystemExit as end:
        if sys.modules.keys() & {"torch", "multiprocessing"}:
            raise
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody reads on: Python knows how to end there
            raise end from None
        os._exit(end.code if isinstance(end.code, int) else 0)


if __name__ == "__main__":
    command()
