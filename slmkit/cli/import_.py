"""slmkit import: a recipe from another tool's training config."""

from __future__ import annotations

from typing import Annotated

import typer

from slmkit.cli.options import AsJson


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Training YAML of LLaMA-Factory, axolotl, TRL or Unsloth.")
    ],
    recipe: Annotated[
        str | None, typer.Option("--out", metavar="NAME", help="Name of the new recipe (default: that of the file).")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage", metavar="STAGE", help="Training method, for a file that does not name one: sft, dpo …"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Convert a training config of another tool to a recipe.

    Reads YAML files of LLaMA-Factory, axolotl, TRL and Unsloth, and lists every key it could not convert.
    """
    from slmkit.importers.import_config import import_config

    import_config(file, recipe=recipe, stage=stage, dry_run=dry_run, as_json=as_json)
