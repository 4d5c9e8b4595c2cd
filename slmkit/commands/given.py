"""What a command line gives: the recipe named first, and key=value pairs."""

from __future__ import annotations

from typing import Any

from slmkit.errors import SlmkitError


def parse(given: list[str] | None, default: str | None = None) -> tuple[str, dict[str, Any]]:
    """The recipe's name and the key=value pairs of a command line."""
    from slmkit.recipe import read_value

    recipe, values = default, {}
    for i, word in enumerate(given or []):
        key, equals, text = word.partition("=")
        if equals and key in values:
            raise SlmkitError(f"{key} is given twice", where="command line", fix="give it once")
        if equals and not text:
            fix = f"{key}=VALUE; {key}=null for none, {key}='\"\"' for an empty text"
            raise SlmkitError(f"the value of {key} is empty", where=f"command line: {word}", fix=fix)
        if equals:
            values[key] = read_value(text)
        elif i == 0:
            recipe = word
        else:
            raise SlmkitError(f"unexpected {word!r}", where="command line", fix="values are given as key=value")
    if recipe is None:
        raise SlmkitError("no recipe named", where="command line", fix="`slmkit ls` prints every recipe")
    return recipe, values
