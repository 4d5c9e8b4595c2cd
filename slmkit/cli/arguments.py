"""What a command line gives: the recipe named first, and key=value pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from slmkit.errors import SlmkitError
from slmkit.recipe import lookup

_Keys = TypeVar("_Keys")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Keys of every command that reads a table: where the text stands, and where the label."""

    text_column: str | None = None
    label_column: str | None = None


def parse(given: list[str] | None, default: str | None = None) -> tuple[str, dict[str, Any]]:
    """The recipe's name and the key=value pairs of a command line."""
    from slmkit.recipe.yaml_lines import read_value

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


def read_keys(command: str, values: Mapping[str, Any], keys: type[_Keys]) -> _Keys:
    """The values of a command that runs no recipe, as the small dataclass that declares its keys."""
    from pydantic_core import ValidationError

    from slmkit.recipe.validate import as_text, checked, wanted

    known = [field.name for field in fields(keys)]  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in known:
            fix = lookup.suggest(key, known)
            raise SlmkitError(f"`{command}` takes no {key!r}", where=f"command line: {key}={value}", fix=fix)
    try:
        return keys(**checked(keys, values))
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        if key not in values:
            raise SlmkitError(f"no {key} named", where="command line", fix=f"slmkit {command} {key}=…") from None
        where = f"command line: {key}={values[key]}"
        asked = wanted(one["msg"] for one in error.errors() if one["loc"][0] == key)
        raise SlmkitError(
            f"{key} is {values[key]!r}", where=where, fix=f"give {asked}{as_text(values[key], asked, key)}"
        ) from None


def existing(key: str, value: str) -> Path:
    """The file or folder that a key names, from here or among what ships."""
    from slmkit.recipe.bind import as_path

    path = as_path(value)
    for root in (Path(), *lookup.roots()):
        if (root / path).exists():
            return root / path
    where = f"command line: {key}={value}"
    raise SlmkitError(f"no file or folder {value!r}", where=where, fix=lookup.suggest_file(str(path)))
