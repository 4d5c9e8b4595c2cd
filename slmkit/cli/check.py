"""slmkit check: binds recipes, runs none, and tells every mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

from slmkit.console import out
from slmkit.errors import EXIT_DONE, EXIT_MISTAKE, SlmkitError
from slmkit.files import PACKAGE
from slmkit.recipe import lookup
from slmkit.recipe.curriculum import lesson_of
from slmkit.recipe.load_recipe import Recipe, load_profile, load_recipe
from slmkit.recipe.yaml_lines import read_yaml
from slmkit.runs.plan import find_mistakes, make_plan


def check_recipes(wanted: list[str], *, profile: str, as_json: bool) -> int:
    """Binds recipes and prints the mistakes found; exit code 3 if there are any."""
    checked = wanted or lookup.names("recipes")
    profile, _ = load_profile(profile)
    mistakes = find_mistakes(checked, profile=profile)
    for name in checked:
        try:
            if name not in mistakes:
                recipe = load_recipe(name, profile=profile)
                lesson_of(recipe)
                _check_sweep(recipe)
        except SlmkitError as error:
            mistakes[name] = error
    mistakes |= _mistakes_of_profiles()
    if as_json:
        rows = [{"recipe": name, "what": e.what, "where": e.where, "fix": e.fix} for name, e in mistakes.items()]
        print(json.dumps({"checked": len(checked), "mistakes": rows}, ensure_ascii=False))
    else:
        for mistake in mistakes.values():
            out.print(f"{mistake}\n", markup=False)
        out.print(f"{len(checked)} recipes checked, {len(mistakes)} with mistakes")
    return EXIT_MISTAKE if mistakes else EXIT_DONE


def _check_sweep(recipe: Recipe) -> None:
    """Each key of `sweep:` is one of the recipe, or of one it reads, and takes the values that it may be given."""
    if not recipe.get("sweep"):
        return
    from slmkit.cli.sweep.space import place_in_recipe, read_space

    for key, dimension in read_space(recipe, {})[0].items():
        for end in dimension.ends:
            try:
                make_plan(recipe.name, given={key: end}, profile=recipe.profile)
            except SlmkitError as error:
                raise SlmkitError(error.what, where=place_in_recipe(recipe, key), fix=error.fix) from None


def _mistakes_of_profiles() -> dict[str, SlmkitError]:
    """The first key of each profile that no stage or part takes. Signatures are read as text, which is quick."""
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
