"""slmkit report: writes the page of a run again, or the index of all runs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from slmkit.cli.options import AsJson
from slmkit.console import out
from slmkit.errors import SlmkitError


def report(
    run_name: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Folder or key of a run, or the name of its recipe.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a run, or the index of all runs."""
    from slmkit.report import write_index, write_report
    from slmkit.runs.store import RUNS, find_run

    if run_name is None and not RUNS.is_dir():
        raise SlmkitError("there are no runs yet", where=str(RUNS.absolute()), fix="start with `slmkit loop`")
    path = write_report(find_run(run_name)) if run_name else write_index(RUNS)
    out.print(json.dumps({"report": str(path)}) if as_json else str(path), markup=False)
