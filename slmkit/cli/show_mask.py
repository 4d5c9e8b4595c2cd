"""slmkit prepare --show-mask: the first row of a prepared run, token by token, in colour or between marks."""

from __future__ import annotations

from pathlib import Path

from slmkit.console import out
from slmkit.errors import SlmkitError
from slmkit.report.read_run import read_rows
from slmkit.report.token_mask import as_colours, as_lines, stretches


def show_mask(run_dir: Path) -> None:
    """Prints what training sees of the first row: what is only read, what is learnt, and the learnt end."""
    found = stretches(read_rows(run_dir / "mask.jsonl"))
    if not found:
        raise SlmkitError(
            "no mask was made: the rows are no chats, or no model was named",
            where=str(run_dir),
            fix="name the model to train: model=NAME",
        )
    out.print()
    if out.is_terminal:
        out.print(as_colours(found))
    else:
        out.print(f"{as_lines(found)}\n\nWhat the model learns stands between « and ».", markup=False)
