"""slmkit compare: several systems on the same questions, and a verdict."""

from __future__ import annotations

from slmkit.cli.arguments import parse
from slmkit.cli.options import Arguments, Options, Processes
from slmkit.cli.run_recipe import run_recipe


def compare(arguments: Arguments = None, *, options: Options, processes: Processes) -> int:
    """Compare prompting, RAG and fine-tuning on one gold set.

    Runs recipes/loop/compare.yaml. `slmkit show loop/compare` lists the keys you can change.
    """
    recipe, values = parse(arguments, default="loop/compare")
    return run_recipe(recipe, values, options, launch=processes.launch, stage="compare")
