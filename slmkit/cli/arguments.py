"""Reads what follows a command: the name of a recipe, and key=value pairs."""

from __future__ import annotations

from typing import Any

from slmkit.errors import SlmkitError


def parse(arguments: list[str] | None, default: str | None = None) -> tuple[str, dict[str, Any]]:
    """The recipe's name and the key=value pairs of a command line."""
    from slmkit.recipe.yaml_lines import read_value

    recipe, values = default, {}
    for i, argument in enumerate(arguments or []):
        key, equals, text = argument.partition("=")
        if equals and key in values:
            raise SlmkitError(f"{key} is given twice", where=f"command line: {argument}", fix="pass it once")
        if equals and not text:
            fix = f"write {key}=VALUE; {key}=null for none, {key}='\"\"' for an empty string"
            raise SlmkitError(f"{key} has no value", where=f"command line: {argument}", fix=fix)
        if equals:
            values[key] = read_value(text)
        elif i == 0:
            recipe = argument
        else:
            raise SlmkitError(
                f"unexpected argument {argument!r}", where="command line", fix="write values as KEY=VALUE"
            )
    if recipe is None:
        raise SlmkitError("no recipe given", where="command line", fix="`slmkit ls recipes` lists the recipes")
    return recipe, values
