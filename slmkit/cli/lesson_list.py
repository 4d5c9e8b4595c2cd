"""slmkit ls --lessons: every lesson in order and which were read; slmkit ls --markdown: recipes/README.md."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rich.text import Text

from slmkit.cli.lessons_read import read_lessons
from slmkit.cli.name_list import describe
from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.curriculum import LEVELS, SOURCES, Curriculum, read_curriculum
from slmkit.recipe.yaml_lines import read_yaml

_COLUMN_STYLES = ("green", "cyan", "", "dim")


@dataclass(frozen=True)
class Entry:
    """One lesson in the list."""

    chapter: str
    name: str
    title: str
    level: str
    minutes: int | None
    items: list[str]  # ids in the curriculum
    sources: list[str]
    is_available: bool
    is_read: bool

    @property
    def track(self) -> str:
        return self.name.partition("/")[0]

    @property
    def effort(self) -> str:
        """Level and reading time, where they are known."""
        return f"{self.level}, {self.minutes} min" if self.minutes else self.level


def list_lessons(
    *, source: str | None, track: str | None, level: str | None, minutes: int | None, as_json: bool, as_markdown: bool
) -> None:
    """Prints the lessons that match every filter; as_markdown prints the index of all recipes instead."""
    if as_markdown:
        print(index(), end="")
        return
    entries = every_lesson()
    for option, value, known in (
        ("source", source, set(SOURCES.values())),
        ("track", track, {entry.track for entry in entries}),
        ("level", level, set(LEVELS)),
    ):
        if value is not None and value not in known:
            raise SlmkitError(f"unknown {option} {value!r}", where=f"--{option}", fix=lookup.suggest(value, known))
    matching = [
        entry
        for entry in entries
        if (source is None or source in entry.sources)
        and (track is None or track == entry.track)
        and (level is None or level == entry.level)
        and (minutes is None or (entry.minutes is not None and entry.minutes <= minutes))
    ]
    if as_json:
        rows = [{**vars(entry), "track": entry.track} for entry in matching]
        print(json.dumps({"lessons": rows, "next": next_unread()}, ensure_ascii=False))
        return
    _print(matching)


def every_lesson() -> list[Entry]:
    """All lessons in order, including those not written yet."""
    known, read = read_curriculum(), read_lessons()
    return [
        _entry(known, chapter, name, name in read) for chapter, lessons in known.chapters.items() for name in lessons
    ]


def next_unread() -> str | None:
    """The first written lesson that has not been read."""
    read = read_lessons()
    return next((name for name in read_curriculum().written_lessons if name not in read), None)


def index() -> str:
    """The text of recipes/README.md: lessons by chapter, then every other recipe, with titles and links."""
    known = read_curriculum()
    lines = [
        "# Recipes",
        "",
        "A recipe is one file: a stage and its arguments. `slmkit run NAME` runs it. `slmkit show NAME` shows every",
        "value and where it comes from. `slmkit learn` takes you through the lessons below, in this order.",
        "`make index` writes this page.",
    ]
    entries = every_lesson()
    for chapter in known.chapters:
        written = [entry for entry in entries if entry.chapter == chapter and entry.is_available]
        coming = [entry.title for entry in entries if entry.chapter == chapter and not entry.is_available]
        lines += ["", f"## {chapter}"]
        if written:
            lines += ["", "| lesson | what it shows | level |", "|---|---|---|"]
            lines += [_index_row(entry) for entry in written]
        if coming:
            lines += ["", f"Not written yet: {'; '.join(dict.fromkeys(coming))}."]
    lines += ["", "## Other recipes", "", "| recipe | what it does |", "|---|---|"]
    for name in lookup.names("recipes"):
        if name not in known.lessons:
            lines.append(f"| [{name}]({name}.yaml) | {describe('recipes', lookup.find_recipe(name)[1])} |")
    return "\n".join(lines) + "\n"


def _index_row(entry: Entry) -> str:
    teaches = read_yaml(lookup.find_recipe(entry.name)[1]).value["teaches"]
    return f"| [{entry.title}]({entry.name}.yaml) | {' '.join(str(teaches).split())} | {entry.effort} |"


def _entry(known: Curriculum, chapter: str, name: str, is_read: bool) -> Entry:
    items, path = known.items_of(name), lookup.find("recipes", name)
    title = describe("recipes", path) if path else items[0].title
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


def _print(entries: list[Entry]) -> None:
    for chapter in dict.fromkeys(entry.chapter for entry in entries):
        rows: list[list[str | Text]] = [[Text(chapter, "bold")]]
        for entry in entries:
            if entry.chapter == chapter:
                mark = "✓" if entry.is_read else "·" if entry.is_available else " "
                effort = entry.effort if entry.is_available else "not written yet"
                cells = (mark, entry.name, entry.title, effort)
                rows.append([Text(*cell) for cell in zip(cells, _COLUMN_STYLES, strict=True)])
        print_rows(rows)
        out.print()
    written = [entry for entry in entries if entry.is_available]
    read, coming = sum(entry.is_read for entry in written), len(entries) - len(written)
    out.print(f"{read} of {len(written)} read, {coming} not written yet.", highlight=False)
    if following := next_unread():
        out.print(f"Next: slmkit learn {following}", markup=False)
