"""Every shipped recipe binds with every profile, and its claims and breaks fit together."""

from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

from slmkit.recipe import lookup
from slmkit.recipe.load_recipe import load_recipe
from slmkit.runs.plan import find_errors

FOLDER = REPOSITORY / "recipes"
RECIPES = sorted(p.relative_to(FOLDER).with_suffix("").as_posix() for p in FOLDER.rglob("*/*.yaml"))


def test_every_recipe_is_found() -> None:
    assert set(lookup.names("recipes")) == set(RECIPES)
    assert {"loop/prepare", "loop/train", "loop/eval", "loop/compare"} <= set(RECIPES)


@pytest.mark.parametrize("profile", ["tiny", "gpu", "gpu_8gb"])
def test_every_recipe_binds_with_every_profile(profile: str) -> None:
    errors = find_errors(RECIPES, profile=profile)
    assert not errors, "\n".join(f"{name}: {error}" for name, error in errors.items())


def test_every_recipe_has_a_title_and_every_claim_two_bounds_and_every_break_a_claim() -> None:
    problems = []
    for name in RECIPES:
        recipe = load_recipe(name, profile="tiny")
        claims = recipe.get("expect") or {}
        problems += [f"{name}: no title"] * (not recipe.get("title"))
        problems += [f"{name}: expect.{key} is {bounds}" for key, bounds in claims.items() if not _is_pair(bounds)]
        unknown = set((recipe.get("breaks") or {}).get("red", [])) - claims.keys()
        problems += [f"{name}: breaks.red names {key}" for key in unknown]
    assert not problems, "\n".join(problems)


def _is_pair(bounds: object) -> bool:
    return isinstance(bounds, list) and len(bounds) == 2


def test_show_prints_each_value_on_one_line(project: Path, slmkit: Callable[..., Finished]) -> None:
    write(
        project / "recipes/mine.yaml", "title: Mine\nstage: eval\nwith: {gold: gold/tickets, system: {use: prompt}}\n"
    )
    lines = slmkit("show", "mine", 'system.instruction="one\\ntwo"').out.splitlines()
    assert any(r'"one\ntwo"' in line and line.startswith("system.instruction") for line in lines)
