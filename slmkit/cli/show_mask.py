"""slmkit prepare --show-mask: the first row of a prepared run, token by token, in colour or between marks."""

from __future__ import annotations

from pathlib import Path

from slmkit.console import out
from slmkit.errors import SlmkitError
from slmkit.report.read_run import read_rows
from slmkit.report.token_mask import colored_mask, mask_spans, plain_mask


def show_mask(run_dir: Path) -> None:
    """Prints the first row with its trained tokens marked."""
    found = mask_spans(read_rows(run_dir / "mask.jsonl"))
    if not found:
        raise SlmkitError(
            "there is no loss mask: the rows are not chats, or no model was named",
            where=str(run_dir),
            fix="set the model to train: model=NAME",
        )
    out.print()
    if out.is_terminal:
        out.print(colored_mask(found))
    else:
        out.print(f"{plain_mask(found)}\n\nThe model is trained on the text between « and ».", markup=False)
