"""slmkit prepare --show-mask: the first row of a prepared run, token by token, in color or between marks."""

from __future__ import annotations

from pathlib import Path

from slmkit.console import out
from slmkit.errors import SlmkitError
from slmkit.report.read_run import read_rows
from slmkit.report.token_mask import as_colours, as_lines, stretches


def show_mask(run_dir: Path) -> None:
    """Prints the first row with the tokens that carry loss marked."""
    found = stretches(read_rows(run_dir / "mask.jsonl"))
    if not found:
        raise SlmkitError(
            "there is no loss mask: the rows are not chats, or no model was named",
            where=str(run_dir),
            fix="name the model to train: model=NAME",
        )
    out.print()
    if out.is_terminal:
        out.print(as_colours(found))
    else:
        out.print(f"{as_lines(found)}\n\nThe model is trained on the text between « and ».", markup=False)
