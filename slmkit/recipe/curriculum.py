"""The map of what can be learnt: items, the recipes that teach them, and the order in which to take the lessons.

It is recipes/curriculum.yaml. A lesson is a recipe named there that has a `lesson:` key; an item whose recipes are
not all written yet is coming.
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
    """One thing to learn, and the recipes that teach it, the main one first."""

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
        """Whether every recipe that teaches it is written."""
        return all(lookup.find("recipes", recipe) for recipe in self.recipes)


@dataclass(frozen=True)
class Curriculum:
    """All items, and chapters of lessons in the order in which to take them."""

    items: tuple[Item, ...]
    chapters: Mapping[str, tuple[str, ...]]

    @property
    def lessons(self) -> list[str]:
        """Every lesson's recipe in order, also those that are coming."""
        return [name for chapter in self.chapters.values() for name in chapter]

    @property
    def written_lessons(self) -> list[str]:
        """The lessons that are written, in order."""
        return [name for name in self.lessons if lookup.find("recipes", name)]

    def items_of(self, name: str) -> list[Item]:
        """The items that a recipe teaches, those first of which it is the main recipe."""
        return sorted((item for item in self.items if name in item.recipes), key=lambda item: item.recipes.index(name))

    def level(self, name: str) -> str:
        """The level of the easiest item that the lesson teaches."""
        return min((item.level for item in self.items_of(name)), key=LEVELS.index, default=LEVELS[0])

    def minutes(self, name: str) -> int | None:
        """How long the longest item of the lesson takes to read, where that is known."""
        return max((item.minutes for item in self.items_of(name) if item.minutes), default=None)

    def next_after(self, name: str) -> str | None:
        """The written lesson that follows; None after the last, and for a recipe that is no lesson."""
        if name not in self.lessons:
            return None
        following = self.lessons[self.lessons.index(name) + 1 :]
        return next((other for other in following if lookup.find("recipes", other)), None)


@functools.cache
def read_curriculum() -> Curriculum:
    """The map as it ships; a project of one's own has none."""
    path = lookup.roots()[-1] / "recipes/curriculum.yaml"
    if not path.is_file():
        raise SlmkitError("recipes/curriculum.yaml is missing", where=str(path), fix="reinstall slmkit")
    values = read_yaml(path).value
    items = tuple(Item(**{**row, "recipes": tuple(row["recipes"])}) for row in values["items"])
    return Curriculum(items, {row["title"]: tuple(row["lessons"]) for row in values["chapters"]})


@dataclass(frozen=True)
class Lesson:
    """The `lesson:` of a recipe: what surrounds its run for somebody who learns."""

    idea: str
    question: str
    explore: tuple[str, ...]
    read: tuple[str, ...] = ()
    scores: Mapping[str, list[float]] = field(default_factory=dict)  # of each statistical claim, five seeds


def read_lesson(recipe: Recipe) -> Lesson | None:
    """The lesson that a recipe carries, or None; SlmkitError where a part of it is missing or of a wrong form."""
    value = recipe.get("lesson")
    if value is None:
        return None
    for key, (is_right, wanted) in _FORM.items():
        if key in value and not is_right(value[key]):
            raise SlmkitError(
                f"lesson.{key} is {value[key]!r}", where=recipe.layer.where(("lesson", key)), fix=f"give {wanted}"
            )
    for key in value:
        if key not in _FORM:
            where = recipe.layer.where(("lesson", key))
            raise SlmkitError(f"a lesson has no key {key!r}", where=where, fix=lookup.suggest(key, _FORM))
    for key in ("idea", "question", "explore"):
        if key not in value:
            where = recipe.layer.where(("lesson",))
            raise SlmkitError(f"the lesson has no {key!r}", where=where, fix=f"add `{key}: …`, {_FORM[key][1]}")
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


_FORM: dict[str, tuple[Any, str]] = {
    "idea": (_is_text, "two to four plain sentences"),
    "question": (_is_text, "one question: what does the reader expect?"),
    "explore": (_are_lines, "up to three lines, each a command or a change"),
    "read": (_are_lines, "up to three lines, each a recipe's name or a link"),
    "scores": (_are_scores, "five scores for each metric: {metric: [0.91, 0.93, 0.90, 0.92, 0.94]}"),
}
