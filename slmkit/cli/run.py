"""slmkit run: any recipe, by name or file."""

from __future__ import annotations

from typing import Annotated

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.options import Options, Processes
from slmkit.cli.run_recipe import run_recipe


def run(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE [KEY=VALUE]...", help="Recipe to run, and values to change.", show_default=False
        ),
    ] = None,
    breaks: Annotated[
        bool, typer.Option("--break", help="Apply the `breaks` of the recipe; its checks must then fail.")
    ] = False,
    *,
    options: Options,
    processes: Processes,
) -> int:
    """Run a recipe, after the recipes it reads from.

    `slmkit show RECIPE` lists the keys you can change. A finished run with the same values is reused.
    """
    recipe, values = parse(arguments)
    return run_recipe(recipe, values, options, launch=processes.launch, breaks=breaks)
