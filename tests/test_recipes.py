from collections.abc import Callable

import pytest
from project_files import REPOSITORY, Finished

from slmkit.recipe import lookup
from slmkit.recipe.load_recipe import load_recipe
from slmkit.runs.plan import make_plan

FOLDER = REPOSITORY / "recipes"
RECIPES = sorted(p.relative_to(FOLDER).with_suffix("").as_posix() for p in FOLDER.glob("*/*.yaml"))


def test_every_recipe_is_found() -> None:
    assert set(lookup.names("recipes")) == set(RECIPES)
    assert {"loop/prepare", "loop/train", "loop/eval", "loop/compare"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("profile", ["tiny", "gpu", "gpu_8gb"])
def test_every_recipe_binds_with_every_profile(name: str, profile: str) -> None:
    plan = make_plan(name, profile=profile)
    assert plan.target.call.recipe.get("title")


@pytest.mark.parametrize("name", RECIPES)
def test_every_claim_is_a_pair_of_bounds_and_every_break_names_one(name: str) -> None:
    recipe = load_recipe(name, profile="tiny")
    claims = recipe.get("expect") or {}
    assert all(isinstance(bounds, list) and len(bounds) == 2 for bounds in claims.values())
    assert set((recipe.get("breaks") or {}).get("red", [])) <= set(claims)


def test_check_says_that_all_is_well(slmkit: Callable[..., Finished]) -> None:
    done = slmkit("check")
    assert done.code == 0
    assert done.out.strip() == f"{len(RECIPES)} recipes checked, 0 with mistakes"


def test_show_gives_each_value_a_line(slmkit: Callable[..., Finished]) -> None:
    lines = slmkit("show", "loop/compare").out.splitlines()
    assert any(r'"{passages}\n{input}"' in line and line.startswith("systems.RAG.notes") for line in lines)
