"""slmkit learn: a lesson in the terminal, from its question to its checked claim; the run's report is its page."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.lesson_list import next_unread
from slmkit.cli.lessons_read import mark_read, read_lessons
from slmkit.cli.options import Options
from slmkit.cli.run_recipe import print_plan
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.curriculum import Curriculum, Lesson, read_curriculum, read_lesson
from slmkit.recipe.load_recipe import Recipe, load_profile
from slmkit.runs.launch import Launch
from slmkit.runs.plan import Plan, make_plan

_WIDTH = 88  # of a paragraph, in characters
_LIST_FIX = "`slmkit ls --lessons` lists the lessons"


def learn(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LESSON] [KEY=VALUE]...", help="Lesson to take; by default the next one.", show_default=False
        ),
    ] = None,
    *,
    options: Options,
) -> int:
    """Take a lesson: a question, a run that answers it, the next step.

    Each lesson asks what you expect, runs an experiment, checks its claim, and shows how to change and break it.
    """
    recipe, values = parse(arguments, default="")
    name = find_lesson(recipe)
    console.quiet = options.as_json
    if not options.verbose:
        quiet_libraries()
    return take_lesson(name, values, options)


def find_lesson(text: str) -> str:
    """The lesson named "loop/02-base-vs-instruct", "base-vs-instruct", or by a curriculum item; "": the next one."""
    known = read_curriculum()
    if not text:
        return next_unread() or known.written_lessons[0]
    slugs = {name.partition("/")[2].partition("-")[2]: name for name in known.lessons}
    items = {item.id: item.recipes[0] for item in known.items}
    name = items.get(text) or slugs.get(text, text)
    if lookup.find("recipes", name) or name.endswith(".yaml"):
        return name
    if name in known.lessons or text in items:
        raise SlmkitError(f"the lesson {text!r} is not written yet", where="command line", fix=_LIST_FIX)
    fix = lookup.suggest(text, known.written_lessons, _LIST_FIX)
    raise SlmkitError(f"unknown lesson {text!r}", where="command line", fix=fix)


def take_lesson(name: str, values: dict[str, Any], options: Options) -> int:
    """Asks the lesson's question, runs it, prints the result, and returns the exit code of the run."""
    profile = load_profile(options.profile)[0]
    plan = make_plan(name, overrides=values, profile=profile, seed=options.seed)
    recipe = plan.target.call.recipe
    lesson = read_lesson(recipe)
    if lesson is None:
        raise SlmkitError(f"{name!r} is a recipe, not a lesson", where=name, fix=f"slmkit run {name}")
    if options.dry_run:
        return print_plan(plan, Launch(), options)
    if not options.as_json:
        _print_question(plan, lesson)
        _wait_for_enter()
    from slmkit.runs.execute import execute

    outcome = execute(plan, force=options.force, verbose=options.verbose)
    try:
        mark_read(name)
    except OSError as error:  # the lesson was still taken
        console.print(f"  could not record that you read this lesson: {error}", markup=False)
    following = read_curriculum().next_after(name) or next_unread()
    if options.as_json:
        kept = {key: outcome.result[key] for key in ("metrics", "expect", "seconds")}
        summary = {"lesson": name, "dir": str(outcome.dir), "report": str(outcome.dir / "report.html"), **kept}
        print(json.dumps({**summary, "next": following, "exit_code": outcome.exit_code}, ensure_ascii=False))
        return outcome.exit_code
    from slmkit.cli.summary import lesson_summary

    out.print()
    out.print(lesson_summary(outcome.dir))
    _print_next_steps(recipe, lesson, profile, following)
    return outcome.exit_code


def _print_question(plan: Plan, lesson: Lesson) -> None:
    name, recipe = plan.target.name, plan.target.call.recipe
    out.print(_position(read_curriculum(), name), style="dim", markup=False)
    out.print(f"\n{recipe.get('title', name)}\n", style="bold", markup=False)
    _print_paragraph(lesson.idea)
    out.print("\nWhat do you expect?", style="bold")
    _print_paragraph(lesson.question)
    out.print()


def _position(known: Curriculum, name: str) -> str:
    """ "Lesson 4 of 18: text/01-numbers-in-numbers-out (beginner, 4 min to read)"."""
    written = known.written_lessons
    if name not in written:
        return f"Lesson: {name}"
    minutes = f", {known.minutes(name)} min to read" if known.minutes(name) else ""
    return f"Lesson {written.index(name) + 1} of {len(written)}: {name} ({known.level(name)}{minutes})"


def _wait_for_enter() -> None:
    """Gives a reader at a terminal time to guess; does not wait where nobody can press a key."""
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        console.print("[dim]Make your guess, then press Enter to run it.[/]", end=" ")
        input()


def _print_next_steps(recipe: Recipe, lesson: Lesson, profile: str, following: str | None) -> None:
    """The lesson's limits, what to change, how to break it, what to read, and the next lesson."""
    honest = recipe.get("honest") or ()
    _print_section("Limitations", [honest] if isinstance(honest, str) else honest)
    if profile == "tiny":
        out.print(f"  On a GPU: slmkit learn {recipe.name} --profile gpu", markup=False)
    _print_section("Try", lesson.explore, wrap=False)
    if broken := recipe.get("breaks"):
        checks = ", ".join(name.replace("_", " ") for name in broken["red"])
        change = ", ".join(f"{key}: {json.dumps(value)}" for key, value in broken["with"].items())
        lines = [f"slmkit run {recipe.name} --break", f"sets {change}, which must make these checks fail: {checks}"]
        _print_section("Break it", lines, wrap=False)
    _print_section("Read on", lesson.read, wrap=False)
    written = read_curriculum().written_lessons
    read = sum(name in read_lessons() for name in written)
    out.print(f"\n{read} of {len(written)} lessons read.", style="dim")
    out.print(f"Next: slmkit learn {following}" if following else "That was the last lesson.", style="bold")


def _print_section(title: str, lines: Sequence[str], *, wrap: bool = True) -> None:
    if lines:
        out.print(f"\n{title}", style="bold")
        for line in lines:
            if wrap:
                _print_paragraph(line)
            else:
                out.print(f"  {line}", markup=False)


def _print_paragraph(text: str) -> None:
    width = min(_WIDTH, shutil.get_terminal_size().columns)
    out.print(textwrap.fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="  "), markup=False)
