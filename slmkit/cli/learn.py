"""learn: a lesson from its question to its checked claim, in the terminal; its page is the run's report."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from slmkit.cli.lesson_list import next_unread
from slmkit.cli.lessons_read import mark_read, read_lessons
from slmkit.cli.options import Options
from slmkit.cli.run_recipe import print_plan
from slmkit.console import console, out
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.curriculum import Curriculum, Lesson, lesson_of, read_curriculum
from slmkit.recipe.load_recipe import Recipe, load_profile
from slmkit.runs.launch import Launch
from slmkit.runs.plan import Plan, make_plan

_WIDTH = 88  # of a paragraph, in characters


def find_lesson(text: str) -> str:
    """The lesson of a name ("loop/02-base-vs-instruct", "base-vs-instruct") or of an item ("t0.10"); "": the next."""
    known = read_curriculum()
    if not text:
        return next_unread() or known.there[0]
    for item in known.items:
        if item.id == text:
            if not lookup.find("recipes", item.recipes[0]):
                raise SlmkitError(f"{item.title!r} is still to come", fix="`slmkit ls --lessons` shows what is there")
            return item.recipes[0]
    slugs = {name.partition("/")[2].partition("-")[2]: name for name in known.lessons}
    name = slugs.get(text, text)
    if name in known.lessons and not lookup.find("recipes", name):
        raise SlmkitError(f"the lesson {name!r} is still to come", fix="`slmkit ls --lessons` shows what is there")
    if name not in known.lessons and not lookup.find("recipes", name) and not name.endswith(".yaml"):
        fix = lookup.suggest(text, known.there, "`slmkit ls --lessons` lists them")
        raise SlmkitError(f"unknown lesson {text!r}", fix=fix)
    return name


def take(name: str, values: dict[str, Any], options: Options) -> int:
    """Tells, asks, runs, and shows what came out; returns the exit code of the run."""
    profile = load_profile(options.profile)[0]
    plan = make_plan(name, given=values, profile=profile, seed=options.seed)
    recipe = plan.target.call.recipe
    lesson = lesson_of(recipe)
    if lesson is None:
        raise SlmkitError(f"{name!r} is a recipe and no lesson", fix=f"slmkit run {name}")
    if options.dry_run:
        return print_plan(plan, Launch(), options)
    if not options.as_json:
        _tell(plan, lesson)
        _wait()
    from slmkit.runs.execute import execute

    outcome = execute(plan, force=options.force, verbose=options.verbose)
    try:
        mark_read(name)
    except OSError as error:  # the lesson was taken all the same
        console.print(f"  that you read this lesson could not be kept: {error}", markup=False)
    following = read_curriculum().next_after(name) or next_unread()
    if options.as_json:
        kept = {key: outcome.result[key] for key in ("metrics", "expect", "seconds")}
        told = {"lesson": name, "dir": str(outcome.dir), "report": str(outcome.dir / "report.html"), **kept}
        print(json.dumps({**told, "next": following, "exit_code": outcome.exit_code}, ensure_ascii=False))
        return outcome.exit_code
    from slmkit.cli.summary import lesson_summary

    out.print()
    out.print(lesson_summary(outcome.dir))
    _go_on(recipe, lesson, profile, following)
    return outcome.exit_code


def _tell(plan: Plan, lesson: Lesson) -> None:
    known, name, recipe = read_curriculum(), plan.target.name, plan.target.call.recipe
    out.print(_place(known, name), style="dim", markup=False)
    out.print(f"\n{recipe.get('title', name)}\n", style="bold", markup=False)
    _paragraph(lesson.idea)
    out.print("\nWhat do you expect?", style="bold")
    _paragraph(lesson.question)
    out.print()


def _place(known: Curriculum, name: str) -> str:
    """ "Lesson 4 of 18: text/01-numbers-in-numbers-out (beginner, 4 min)"."""
    there = known.there
    if name not in there:
        return f"Lesson: {name}"
    minutes = f", {known.minutes(name)} min to read" if known.minutes(name) else ""
    return f"Lesson {there.index(name) + 1} of {len(there)}: {name} ({known.level(name)}{minutes})"


def _wait() -> None:
    """Leaves a reader at a terminal the time to guess; never waits where nobody can press a key."""
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        console.print("[dim]Make your guess, then press Enter to run it.[/]", end=" ")
        input()


def _go_on(recipe: Recipe, lesson: Lesson, profile: str, following: str | None) -> None:
    """What was honest, what to change, how to break it, where to read on, and the next step."""
    honest = recipe.get("honest") or ()
    _section("Honestly", [honest] if isinstance(honest, str) else honest)
    if profile == "tiny":
        out.print(f"  With a GPU: slmkit learn {recipe.name} --profile gpu", markup=False)
    _section("Try", lesson.explore, wrap=False)
    if broken := recipe.get("breaks"):
        red = ", ".join(name.replace("_", " ") for name in broken["red"])
        change = ", ".join(f"{key}: {json.dumps(value)}" for key, value in broken["with"].items())
        told = f"sets {change}; then {red} must turn red"
        _section("Break it", [f"slmkit run {recipe.name} --break", told], wrap=False)
    _section("Read on", lesson.read, wrap=False)
    there = read_curriculum().there
    read = sum(name in read_lessons() for name in there)
    out.print(f"\n{read} of {len(there)} read.", style="dim")
    out.print(f"Next: slmkit learn {following}" if following else "That was the last lesson.", style="bold")


def _section(title: str, lines: Sequence[str], *, wrap: bool = True) -> None:
    if lines:
        out.print(f"\n{title}", style="bold")
        for line in lines:
            if wrap:
                _paragraph(line)
            else:
                out.print(f"  {line}", markup=False)


def _paragraph(text: str) -> None:
    width = min(_WIDTH, shutil.get_terminal_size().columns)
    out.print(textwrap.fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="  "), markup=False)
