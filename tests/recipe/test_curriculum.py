"""The map of the curriculum holds: 100 items, each with recipes, and every recipe that teaches names its items."""

import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

from slmkit.cli.learn import find_lesson
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.curriculum import LEVELS, read_curriculum, read_lesson
from slmkit.recipe.load_recipe import load_recipe
from slmkit.recipe.yaml_lines import read_value
from slmkit.runs.plan import make_plan

MAP = read_curriculum()
WRITTEN = MAP.written_lessons


def test_the_map_has_a_hundred_items_and_each_lesson_has_one_place() -> None:
    assert Counter(item.source for item in MAP.items) == {"foundations": 13, "concepts": 70, "tutorial": 17}
    assert len({item.id for item in MAP.items}) == 100
    assert {recipe for item in MAP.items for recipe in item.recipes} == set(MAP.lessons)
    assert len(MAP.lessons) == len(set(MAP.lessons)) == 91
    assert {item.level for item in MAP.items} <= set(LEVELS)


def test_recipes_and_items_name_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    items = {item.id: item for item in MAP.items}
    for name in lookup.names("recipes"):
        recipe = load_recipe(name, profile="tiny")
        taught = {item.id for item in MAP.items_of(name)}
        assert set(recipe.get("seeds") or ()) == taught, f"{name}: seeds should be {sorted(taught)}"
        assert taught <= set(items)
    done = [item for item in MAP.items if item.is_available]
    with capsys.disabled():
        print(f"\n{len(done)} of {len(items)} items have all their recipes; {len(WRITTEN)} of 91 lessons are written")


@pytest.mark.parametrize("name", WRITTEN)
def test_a_lesson_has_a_claim_and_can_be_broken(name: str) -> None:
    recipe = load_recipe(name, profile="tiny")
    lesson = read_lesson(recipe)
    assert lesson is not None, "a recipe of the curriculum needs `lesson:`"
    assert recipe.get("honest") and recipe.get("teaches") and recipe.get("expect")
    assert recipe.get("breaks")["with"] and recipe.get("breaks")["red"]
    assert set(lesson.scores) <= set(recipe.get("expect"))
    for metric, scores in lesson.scores.items():
        low, high = recipe.get("expect")[metric]
        assert all((low is None or score >= low) and (high is None or score <= high) for score in scores), metric
    for link in lesson.read:
        assert link.startswith("https://") or lookup.find("recipes", link) or link in MAP.lessons, link


def test_the_lessons_follow_each_other() -> None:
    assert all(MAP.next_after(name) == after for name, after in zip(WRITTEN, [*WRITTEN[1:], None], strict=False))
    assert MAP.next_after("loop/compare") is None


@pytest.mark.parametrize(
    ("lesson", "what"),
    [
        ("{question: q, explore: [a]}", "the lesson has no 'idea'"),
        ("{idea: i, question: q, explore: [a, b, c, d]}", "lesson.explore is"),
        ("{idea: i, question: '', explore: [a]}", "lesson.question is ''"),
        ("{idea: i, question: q, explore: [a], scores: {m: [1, 2]}}", "lesson.scores is"),
        ("{idea: i, question: q, explore: [a], level: 3}", "a lesson has no key 'level'"),
    ],
)
def test_a_lesson_of_a_wrong_form_is_refused_with_its_line(project: Path, lesson: str, what: str) -> None:
    write(project / "recipes/r.yaml", f"stage: world\nlesson: {lesson}\n")
    with pytest.raises(SlmkitError, match=what) as error:
        read_lesson(load_recipe("r", profile="tiny"))
    assert error.value.where.startswith("recipes/r.yaml:2")


def test_the_map_is_no_recipe() -> None:
    assert (REPOSITORY / "recipes/curriculum.yaml").is_file()
    assert "curriculum" not in lookup.names("recipes")


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.usefixtures("project")
def test_what_a_lesson_tells_to_try_is_accepted(name: str, slmkit: Callable[..., Finished]) -> None:
    lesson = read_lesson(load_recipe(name, profile="tiny"))
    assert lesson is not None
    for line in lesson.explore:
        words = shlex.split(line.partition(" #")[0])
        if words[:2] == ["slmkit", "learn"]:
            lesson_name, *values = words[2:]
            given = {
                key: read_value(value) for key, _, value in (word.partition("=") for word in values if "=" in word)
            }
            assert make_plan(find_lesson(lesson_name), overrides=given, profile="tiny").steps
        elif words[:1] == ["slmkit"] and words[1] != "chat":
            dry = [] if words[1] in ("fit", "show", "ls") else ["--dry-run"]
            done = slmkit(*words[1:], *dry)
            assert done.code == 0, f"{line}\n{done.err}"
