"""ls --lessons: every lesson in its order, what has been read and what is coming; and recipes/README.md, the index."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rich.text import Text

from slmkit.cli.lessons_read import read_lessons
from slmkit.cli.ls import about
from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.curriculum import LEVELS, SOURCES, Curriculum, read_curriculum
from slmkit.recipe.yaml_lines import read_yaml


@dataclass(frozen=True)
class Entry:
    """One lesson as it is listed."""

    chapter: str
    name: str
    title: str
    level: str
    minutes: int | None
    items: list[str]  # ids
    sources: list[str]
    is_there: bool
    is_read: bool

    @property
    def track(self) -> str:
        return self.name.partition("/")[0]

    @property
    def reading(self) -> str:
        """Level and minutes, as far as they are known."""
        return f"{self.level}, {self.minutes} min" if self.minutes else self.level


def list_lessons(
    *, source: str | None, track: str | None, level: str | None, minutes: int | None, as_json: bool, as_markdown: bool
) -> None:
    """Prints the lessons that meet every filter given; as_markdown prints the index of all recipes instead."""
    if as_markdown:
        print(index(), end="")
        return
    entries = every_lesson()
    for word, value, known in (
        ("source", source, set(SOURCES.values())),
        ("track", track, {entry.track for entry in entries}),
        ("level", level, set(LEVELS)),
    ):
        if value is not None and value not in known:
            raise SlmkitError(f"unknown {word} {value!r}", where=f"--{word}", fix=lookup.suggest(value, known))
    shown = [
        entry
        for entry in entries
        if (source is None or source in entry.sources)
        and (track is None or track == entry.track)
        and (level is None or level == entry.level)
        and (minutes is None or (entry.minutes is not None and entry.minutes <= minutes))
    ]
    if as_json:
        rows = [{**vars(entry), "track": entry.track} for entry in shown]
        print(json.dumps({"lessons": rows, "next": next_unread()}, ensure_ascii=False))
        return
    _print(shown)


def every_lesson() -> list[Entry]:
    """All lessons in order, also those that are coming."""
    known, read = read_curriculum(), read_lessons()
    return [
        _entry(known, chapter, name, name in read) for chapter, lessons in known.chapters.items() for name in lessons
    ]


def next_unread() -> str | None:
    """The first written lesson that has not been read."""
    read = read_lessons()
    return next((name for name in read_curriculum().there if name not in read), None)


def index() -> str:
    """recipes/README.md: the lessons by chapter, then every other recipe, each with its title and a link."""
    known = read_curriculum()
    lines = [
        "# Recipes",
        "",
        "One file is one recipe: a stage and its arguments. `slmkit run NAME` runs it, `slmkit show NAME` tells where",
        "each value comes from. `slmkit learn` takes you through the lessons below in this order.",
        "This page is made by `make index`.",
    ]
    entries = every_lesson()
    for chapter in known.chapters:
        lines += ["", f"## {chapter}", "", "| lesson | what it shows | level | for |", "|---|---|---|---|"]
        coming = []
        for entry in (entry for entry in entries if entry.chapter == chapter):
            if not entry.is_there:
                coming.append(entry.title)
                continue
            path = lookup.find_recipe(entry.name)[1]
            shows = " ".join(str(read_yaml(path).value["teaches"]).split())
            ids = ", ".join(entry.items)
            lines.append(f"| [{entry.title}]({entry.name}.yaml) | {shows} | {entry.reading} | {ids} |")
        if len(coming) == len(known.chapters[chapter]):
            del lines[-3:]
        if coming:
            lines += ["", f"Coming: {'; '.join(dict.fromkeys(coming))}."]
    lines += ["", "## The loop, and what it is made from", "", "| recipe | what it does |", "|---|---|"]
    for name in lookup.names("recipes"):
        if name not in known.lessons:
            lines.append(f"| [{name}]({name}.yaml) | {about('recipes', lookup.find_recipe(name)[1])} |")
    return "\n".join(lines) + "\n"


def _entry(known: Curriculum, chapter: str, name: str, is_read: bool) -> Entry:
    items, path = known.items_of(name), lookup.find("recipes", name)
    title = about("recipes", path) if path else items[0].title
    return Entry(
        chapter,
        name,
        title,
        known.level(name),
        known.minutes(name),
        [item.id for item in items],
        sorted({item.source for item in items}),
        path is not None,
        is_read and path is not None,
    )


_STYLES = ("green", "cyan", "", "dim", "dim")


def _print(entries: list[Entry]) -> None:
    for chapter in dict.fromkeys(entry.chapter for entry in entries):
        rows: list[list[str | Text]] = [[Text(chapter, "bold")]]
        for entry in entries:
            if entry.chapter == chapter:
                mark = "✓" if entry.is_read else "·" if entry.is_there else " "
                reading = entry.reading if entry.is_there else "coming"
                cells = (mark, entry.name, entry.title, reading, " ".join(entry.items))
                rows.append([Text(*cell) for cell in zip(cells, _STYLES, strict=True)])
        print_rows(rows)
        out.print()
    there = [entry for entry in entries if entry.is_there]
    read = sum(entry.is_read for entry in there)
    out.print(f"{read} of {len(there)} read, {len(entries) - len(there)} coming.", highlight=False)
    if following := next_unread():
        out.print(f"Next: slmkit learn {following}", markup=False)
