"""slmkit eval: one system, scored."""

from __future__ import annotations

from slmkit.cli.arguments import parse
from slmkit.cli.options import Arguments, Options, Processes
from slmkit.cli.run_recipe import run_recipe


def eval(arguments: Arguments = None, *, options: Options, processes: Processes) -> int:
    """Score one system on a gold set.

    Runs recipes/loop/eval.yaml. `slmkit show loop/eval` lists the keys you can change.
    """
    recipe, values = parse(arguments, default="loop/eval")
    return run_recipe(recipe, values, options, launch=processes.launch, stage="eval")
