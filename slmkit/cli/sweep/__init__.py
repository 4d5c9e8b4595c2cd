"""slmkit sweep: a search over keys of a recipe; each trial is a run."""

from __future__ import annotations

from typing import Annotated

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.options import Options


def sweep(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE] [KEY=[A,B,C]] [KEY=LOW..HIGH] [KEY=VALUE]...",
            help="Recipe to sweep (default: loop/train), keys to search, and values to fix.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[int, typer.Option("--trials", metavar="N", min=1, help="Number of trials.")] = 20,
    minimize: Annotated[
        str | None,
        typer.Option("--minimize", metavar="METRIC", help="Metric to minimize.", show_default="validation_loss"),
    ] = None,
    maximize: Annotated[str | None, typer.Option("--maximize", metavar="METRIC", help="Metric to maximize.")] = None,
    *,
    options: Options,
) -> int:
    """Search the keys of a recipe for the best values.

    Each trial is a run: `slmkit sweep learning_rate=1e-4..1e-2 lora.r=[4,8,16]`. Run the same command again to resume.
    Exit code 2 if no trial beats the recipe as written.
    """
    from slmkit.cli.sweep.search import run_sweep

    recipe, values = parse(arguments, default="loop/train")
    return run_sweep(recipe, values, options, num_trials=trials, minimize=minimize, maximize=maximize)
