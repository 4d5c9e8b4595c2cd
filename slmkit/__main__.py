"""The command slmkit, also as python -m slmkit."""

from __future__ import annotations

import gc
import os
import sys

# They only look: nothing of theirs still writes when they end.
_LOOKING = {"ls", "show", "check", "schema", "--help", "--version"}


def command() -> None:
    """Runs the command line; a command that only looks leaves at once.

    Taking Python's modules down one by one is a fifth of the time of `slmkit show`. Imports make a million objects and
    no garbage: looking for it every 700 objects, as Python does, is an eighth of the import of transformers.
    """
    gc.set_threshold(100_000)
    from slmkit.cli.main import main

    try:
        main()
    except SystemExit as end:
        if sys.argv[1] not in _LOOKING or not isinstance(end.code, int):
            raise
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (
            OSError,
            ValueError,
            AttributeError,
        ):  # nobody reads on, or there is no output at all: Python knows how to end there
            raise end from None
        os._exit(end.code)


if __name__ == "__main__":
    command()
