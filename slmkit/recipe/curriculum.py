"""The curriculum: the items to learn, the recipes that teach them, and the order of the lessons.

It is read from recipes/curriculum.yaml. A lesson is a recipe that is listed there and has a `lesson:` key. An item is
available once all of its recipes are written.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.load_recipe import Recipe
from slmkit.recipe.yaml_lines import read_yaml

LEVELS = ("beginner", "intermediate", "advanced")
SOURCES = {"t0": "foundations", "c": "concepts", "tut": "tutorial"}  # by how an item's id starts


@dataclass(frozen=True)
class Item:
    """One thing to learn, and the recipes that teach it, main recipe first."""

    id: str
    title: str
    level: str
    recipes: tuple[str, ...]
    minutes: int | None = None

    @property
    def source(self) -> str:
        return SOURCES[self.id.partition(".")[0]]

    @property
    def is_available(self) -> bool:
        """Whether all recipes that teach it are written."""
        return all(lookup.find("recipes", recipe) for recipe in self.recipes)


@dataclass(frozen=True)
class Curriculum:
    """All items, and the lessons by chapter, in order."""

    items: tuple[Item, ...]
    chapters: Mapping[str, tuple[str, ...]]

    @property
    def lessons(self) -> list[str]:
        """The recipes of all lessons in order, including those not written yet."""
        return [name for chapter in self.chapters.values() for name in chapter]

    @property
    def written_lessons(self) -> list[str]:
        """The recipes of the written lessons, in order."""
        return [name for name in self.lessons if lookup.find("recipes", name)]

    def items_of(self, name: str) -> list[Item]:
        """The items that a recipe teaches; those whose main recipe it is come first."""
        return sorted((item for item in self.items if name in item.recipes), key=lambda item: item.recipes.index(name))

    def level(self, name: str) -> str:
        """The level of the easiest item that the lesson teaches."""
        return min((item.level for item in self.items_of(name)), key=LEVELS.index, default=LEVELS[0])

    def minutes(self, name: str) -> int | None:
        """The reading time of the lesson's longest item; None if unknown."""
        return max((item.minutes for item in self.items_of(name) if item.minutes), default=None)

    def next_after(self, name: str) -> str | None:
        """The next written lesson; None after the last, and for a recipe that is not a lesson."""
        if name not in self.lessons:
            return None
        following = self.lessons[self.lessons.index(name) + 1 :]
        return next((other for other in following if lookup.find("recipes", other)), None)


@functools.cache
def read_curriculum() -> Curriculum:
    """The curriculum shipped with slmkit; a user's project has none."""
    path = lookup.roots()[-1] / "recipes/curriculum.yaml"
    if not path.is_file():
        raise SlmkitError("recipes/curriculum.yaml is missing", where=str(path), fix="reinstall slmkit")
    values = read_yaml(path).value
    items = tuple(Item(**{**row, "recipes": tuple(row["recipes"])}) for row in values["items"])
    return Curriculum(items, {row["title"]: tuple(row["lessons"]) for row in values["chapters"]})


@dataclass(frozen=True)
class Lesson:
    """The `lesson:` key of a recipe: the teaching material around its run."""

    idea: str
    question: str
    explore: tuple[str, ...]
    read: tuple[str, ...] = ()
    scores: Mapping[str, list[float]] = field(default_factory=dict)  # five seeds per statistical claim


def read_lesson(recipe: Recipe) -> Lesson | None:
    """The lesson of a recipe, or None. Raises: SlmkitError if a key is missing, unknown or malformed."""
    value = recipe.get("lesson")
    if value is None:
        return None
    for key, (is_valid, form) in _FIELDS.items():
        if key in value and not is_valid(value[key]):
            raise SlmkitError(
                f"invalid value for lesson.{key}: {value[key]!r}",
                where=recipe.layer.where(("lesson", key)),
                fix=f"use {form}",
            )
    for key in value:
        if key not in _FIELDS:
            where = recipe.layer.where(("lesson", key))
            raise SlmkitError(f"unknown key {key!r} in the lesson", where=where, fix=lookup.suggest(key, _FIELDS))
    for key in ("idea", "question", "explore"):
        if key not in value:
            where = recipe.layer.where(("lesson",))
            raise SlmkitError(f"the lesson needs {key!r}", where=where, fix=f"add `{key}: …`, {_FIELDS[key][1]}")
    texts = {key: tuple(value.get(key, ())) for key in ("explore", "read")}
    return Lesson(value["idea"], value["question"], **texts, scores=value.get("scores", {}))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_lines(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 3 and all(map(_is_text, value))


def _are_scores(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(row, list) and len(row) == 5 and all(isinstance(score, int | float) for score in row)
        for row in value.values()
    )


_FIELDS: dict[str, tuple[Any, str]] = {
    "idea": (_is_text, "two to four plain sentences"),
    "question": (_is_text, "one question that asks the reader for a prediction"),
    "explore": (_are_lines, "one to three commands or changes"),
    "read": (_are_lines, "one to three recipe names or links"),
    "scores": (_are_scores, "five scores per metric: {metric: [0.91, 0.93, 0.90, 0.92, 0.94]}"),
}
