"""slmkit loop: from a data file to a verdict."""

from __future__ import annotations

from slmkit.cli.arguments import parse
from slmkit.cli.options import Arguments, Options
from slmkit.cli.run_recipe import run_recipe


def loop(arguments: Arguments = None, *, options: Options) -> int:
    """Run the whole loop: prepare, train, compare, verdict.

    Without arguments it runs on a task that ships with slmkit; `data=FILE` runs it on your own data and freezes part
    of the file as the gold set.
    """
    recipe, values = parse(arguments, default="loop/compare")
    return run_recipe(recipe, values, options, with_own_gold=True)
