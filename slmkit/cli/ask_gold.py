"""Asks in a terminal which gold set some data belong to; a script gets the error, which names both ways."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from slmkit.console import console
from slmkit.errors import shown
from slmkit.gold.frozen_from import OtherDataError
from slmkit.gold.own_gold import freeze_gold_of, with_gold


def gold_or_ask(
    recipe: str, values: dict[str, Any], *, always: bool = False, dry_run_folder: Path | None = None
) -> dict[str, Any]:
    """As with_gold; data whose gold set has the name of another one's are asked about where somebody can answer.

    Raises: OtherDataError where nobody can.
    """
    try:
        return with_gold(recipe, values, always=always, dry_run_folder=dry_run_folder)
    except OtherDataError as error:
        if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()) or console.quiet:
            raise
        belongs = _belongs(error, str(values["data"]))
        name = error.folder.name if belongs else error.free_name
        console.print(f"To skip the question: add gold={name}", markup=False)
        if belongs:
            return {**values, "gold": str(error.folder)}
        return freeze_gold_of(values, name=name, dry_run_folder=dry_run_folder)


def _belongs(error: OtherDataError, data: str) -> bool:
    """Whether the user says that the data belong to the frozen set. Raises: the error at the end of input."""
    console.print(f"{error.known}.", markup=False)
    console.print(f"  1  {data} belongs to this gold set: score on {shown(error.folder)}", markup=False)
    console.print(f"  2  {data} is another task: freeze its own gold set gold/{error.free_name}", markup=False)
    while True:
        console.print("Which one? [1/2]: ", end="", markup=False)
        try:
            answer = input().strip()
        except EOFError:
            console.print()
            raise error from None
        if answer in ("1", "2"):
            return answer == "1"
