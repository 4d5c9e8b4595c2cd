"""slmkit prepare: from a data file to training rows."""

from __future__ import annotations

from typing import Annotated

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.options import Arguments, Options
from slmkit.cli.run_recipe import run_recipe


def prepare(
    arguments: Arguments = None,
    show_mask: Annotated[
        bool, typer.Option("--show-mask", help="Print one row token by token: which tokens are trained on.")
    ] = False,
    *,
    options: Options,
) -> int:
    """Turn a data file into training rows.

    Runs recipes/loop/prepare.yaml. `slmkit show loop/prepare` lists the keys you can change.
    """
    recipe, values = parse(arguments, default="loop/prepare")
    return run_recipe(recipe, values, options, show_mask=show_mask)
