"""The curriculum is complete: 100 items, each taught by recipes, and lessons in an order."""

import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
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

CURRICULUM = read_curriculum()
WRITTEN = CURRICULUM.written_lessons


def test_there_are_a_hundred_items_and_each_lesson_is_listed_once() -> None:
    assert Counter(item.source for item in CURRICULUM.items) == {"foundations": 13, "concepts": 70, "tutorial": 17}
    assert len({item.id for item in CURRICULUM.items}) == 100
    assert {recipe for item in CURRICULUM.items for recipe in item.recipes} == set(CURRICULUM.lessons)
    assert len(CURRICULUM.lessons) == len(set(CURRICULUM.lessons)) == 91
    assert {item.level for item in CURRICULUM.items} <= set(LEVELS)


def test_recipes_and_items_name_each_other() -> None:
    listed = {name: {item.id for item in CURRICULUM.items_of(name)} for name in lookup.names("recipes")}
    named = {name: set(load_recipe(name, profile="tiny").get("seeds") or ()) for name in listed}
    assert named == listed


def test_every_lesson_has_a_claim_and_can_be_broken() -> None:
    problems = [f"{name}: {problem}" for name in WRITTEN for problem in _problems(name)]
    assert not problems, "\n".join(problems)


def _problems(name: str) -> Iterator[str]:
    recipe = load_recipe(name, profile="tiny")
    lesson = read_lesson(recipe)
    if lesson is None:
        yield "no `lesson:`"
        return
    claims, breaks = recipe.get("expect") or {}, recipe.get("breaks") or {}
    for key in ("honest", "teaches", "expect"):
        if not recipe.get(key):
            yield f"no {key}"
    if not (breaks.get("with") and breaks.get("red")):
        yield "no breaks"
    for metric, scores in lesson.scores.items():
        low, high = claims.get(metric, (math.inf, -math.inf))
        for score in scores:
            if (low is not None and score < low) or (high is not None and score > high):
                yield f"{metric} {score} is outside [{low}, {high}]"
    for link in lesson.read:
        if not (link.startswith("https://") or lookup.find("recipes", link) or link in CURRICULUM.lessons):
            yield f"read: {link}"


def test_the_lessons_follow_each_other() -> None:
    assert all(
        CURRICULUM.next_after(name) == after for name, after in zip(WRITTEN, [*WRITTEN[1:], None], strict=False)
    )
    assert CURRICULUM.next_after("loop/compare") is None


@pytest.mark.parametrize(
    ("lesson", "offending"),
    [
        ("{question: q, explore: [a]}", "'idea'"),
        ("{idea: i, question: q, explore: [a, b, c, d]}", r"lesson\.explore.* \['a', 'b', 'c', 'd'\]"),
        ("{idea: i, question: '', explore: [a]}", r"lesson\.question.* ''"),
        ("{idea: i, question: q, explore: [a], scores: {m: [1, 2]}}", r"lesson\.scores"),
        ("{idea: i, question: q, explore: [a], level: 3}", "'level'"),
    ],
)
def test_a_malformed_lesson_is_refused_with_its_line(project: Path, lesson: str, offending: str) -> None:
    write(project / "recipes/r.yaml", f"stage: world\nlesson: {lesson}\n")
    with pytest.raises(SlmkitError, match=offending) as error:
        read_lesson(load_recipe("r", profile="tiny"))
    assert error.value.where.startswith("recipes/r.yaml:2")


def test_the_curriculum_is_not_a_recipe() -> None:
    assert (REPOSITORY / "recipes/curriculum.yaml").is_file()
    assert "curriculum" not in lookup.names("recipes")


@pytest.mark.long
@pytest.mark.usefixtures("project")
def test_every_command_that_a_lesson_suggests_is_accepted(slmkit: Callable[..., Finished]) -> None:
    refused = []
    for name in WRITTEN:
        lesson = read_lesson(load_recipe(name, profile="tiny"))
        for line in lesson.explore if lesson else ():
            try:
                _plan(shlex.split(line.partition(" #")[0]), slmkit)
            except (SlmkitError, AssertionError) as error:
                refused.append(f"{name}: {line}\n{error}")
    assert not refused, "\n".join(refused)


def _plan(command: list[str], slmkit: Callable[..., Finished]) -> None:
    """Plans what the command would run, without running it; lines that are not commands are skipped."""
    if command[:2] == ["slmkit", "learn"]:
        name, *arguments = command[2:]
        pairs = (argument.partition("=") for argument in arguments if "=" in argument)
        overrides = {key: read_value(value) for key, _, value in pairs}
        assert make_plan(find_lesson(name), overrides=overrides, profile="tiny").steps
    elif command[:1] == ["slmkit"] and command[1] != "chat":
        dry = [] if command[1] in ("fit", "show", "ls") else ["--dry-run"]
        done = slmkit(*command[1:], *dry)
        assert done.code == 0, done.err
