"""slmkit train: from prepared rows to a model."""

from __future__ import annotations

from slmkit.cli.arguments import parse
from slmkit.cli.options import Arguments, Options, Processes
from slmkit.cli.run_recipe import run_recipe


def train(arguments: Arguments = None, *, options: Options, processes: Processes) -> int:
    """Train a model on prepared rows.

    Runs recipes/loop/train.yaml. `slmkit show loop/train` lists the keys you can change.
    """
    recipe, values = parse(arguments, default="loop/train")
    return run_recipe(recipe, values, options, launch=processes.launch)
