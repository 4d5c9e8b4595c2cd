"""slmkit ls: lists names, or the lessons."""

from __future__ import annotations

from typing import Annotated

import typer

from slmkit.cli.name_list import KINDS, print_names
from slmkit.cli.options import AsJson


def ls(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help=f"Only {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
    ] = None,
    as_json: AsJson = False,
    lessons: Annotated[bool, typer.Option("--lessons", help="List the lessons, and which you have read.")] = False,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only lessons from this source: foundations, concepts or tutorial."),
    ] = None,
    track: Annotated[str | None, typer.Option(metavar="NAME", help="Only lessons on this track: loop, text …")] = None,
    level: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only lessons of this level: beginner, intermediate, advanced.")
    ] = None,
    minutes: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only lessons that take at most N minutes to read.")
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print recipes/README.md, the index of all recipes.")
    ] = False,
) -> None:
    """List recipes, stages and other parts, models, or lessons."""
    if lessons or as_markdown or any(one is not None for one in (source, track, level, minutes)):
        from slmkit.cli.lesson_list import list_lessons

        list_lessons(
            source=source, track=track, level=level, minutes=minutes, as_json=as_json, as_markdown=as_markdown
        )
    else:
        print_names(kind, as_json=as_json)
