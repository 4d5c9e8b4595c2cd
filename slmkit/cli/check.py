"""slmkit check: binds recipes without running them, and reports every mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from slmkit.cli.options import AsJson, Profile
from slmkit.console import out
from slmkit.errors import EXIT_DONE, EXIT_MISTAKE, SlmkitError, counted
from slmkit.files import PACKAGE
from slmkit.recipe import lookup
from slmkit.recipe.curriculum import read_lesson
from slmkit.recipe.load_recipe import Recipe, load_profile, load_recipe
from slmkit.recipe.yaml_lines import read_yaml
from slmkit.runs.plan import find_errors, make_plan


def check(
    recipes: Annotated[
        list[str] | None, typer.Argument(metavar="[RECIPE]...", help="Recipes to check.", show_default="all")
    ] = None,
    profile: Profile = "auto",
    as_json: AsJson = False,
) -> int:
    """Check recipes for mistakes without running them.

    Exit code 3 if there are any. Without arguments it checks every recipe and profile.
    """
    names = recipes or lookup.names("recipes")
    profile, _ = load_profile(profile)
    mistakes = find_errors(names, profile=profile)
    for name in names:
        try:
            if name not in mistakes:
                recipe = load_recipe(name, profile=profile)
                read_lesson(recipe)
                _check_sweep(recipe)
        except SlmkitError as error:
            mistakes[name] = error
    mistakes |= _mistakes_in_profiles()
    if as_json:
        rows = [{"recipe": name, "what": e.what, "where": e.where, "fix": e.fix} for name, e in mistakes.items()]
        print(json.dumps({"checked": len(names), "mistakes": rows}, ensure_ascii=False))
    else:
        for mistake in mistakes.values():
            out.print(f"{mistake}\n", markup=False)
        out.print(f"{counted(len(names), 'recipe')} checked, {counted(len(mistakes), 'mistake')}")
    return EXIT_MISTAKE if mistakes else EXIT_DONE


def _check_sweep(recipe: Recipe) -> None:
    """Binds the recipe with each end of each key of its `sweep:`."""
    if not recipe.get("sweep"):
        return
    from slmkit.cli.sweep.space import place_in_recipe, read_space

    for key, dimension in read_space(recipe, {})[0].items():
        for end in dimension.ends:
            try:
                make_plan(recipe.name, overrides={key: end}, profile=recipe.profile)
            except SlmkitError as error:
                raise SlmkitError(error.what, where=place_in_recipe(recipe, key), fix=error.fix) from None


def _mistakes_in_profiles() -> dict[str, SlmkitError]:
    """The first key of each profile that no stage or part has; signatures are searched as text, which is fast."""
    paths = [*PACKAGE.rglob("*.py"), *Path().glob("*.py"), *Path().glob("*/*.py")]
    source = "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
    mistakes = {}
    for name, path in lookup.named_files("configs/profiles").items():
        layer = read_yaml(path)
        if key := next((key for key in layer.value if f" {key}: " not in source), None):
            fix = lookup.suggest(str(key), set(re.findall(r" (\w+): ", source)))
            what = f"no stage or part has a key {key!r}"
            mistakes[f"profile {name}"] = SlmkitError(what, where=layer.where((key,)), fix=fix)
    return mistakes
