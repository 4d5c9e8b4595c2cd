"""Keys of commands that run no recipe: checked as those of a stage are, against the dataclass that declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.lookup import as_path
from slmkit.types import AnswersAre, ColumnNames

_Keys = TypeVar("_Keys")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Keys of every command that reads a table: which columns are the text, the answer and the passage."""

    text_column: ColumnNames | None = None
    label_column: ColumnNames | None = None
    passage_column: ColumnNames | None = None
    answers_are: AnswersAre | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """These keys, as the functions that read a table take them."""
        return {field.name: getattr(self, field.name) for field in fields(Columns)}


def read_keys(command: str, values: Mapping[str, Any], keys: type[_Keys]) -> _Keys:
    """The key=value pairs of a command that runs no recipe, checked against the dataclass that declares its keys."""
    from pydantic_core import ValidationError

    from slmkit.recipe.validate import expected_text, quoting_hint, validate

    known = [field.name for field in fields(keys)]  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in known:
            fix = lookup.suggest(key, known)
            raise SlmkitError(f"`slmkit {command}` has no key {key!r}", where=f"command line: {key}={value}", fix=fix)
    try:
        return keys(**validate(keys, values))
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        if key not in values:
            fix = f"add it: slmkit {command} {key}=…"
            raise SlmkitError(f"missing key {key!r}", where="command line", fix=fix) from None
        where = f"command line: {key}={values[key]}"
        expected = expected_text(one["msg"] for one in error.errors() if one["loc"][0] == key)
        fix = f"use {expected}{quoting_hint(values[key], expected, key)}"
        raise SlmkitError(f"invalid value for {key}: {values[key]!r}", where=where, fix=fix) from None


def existing_path(key: str, value: str) -> Path:
    """The file or folder a key names, relative to the working directory or to what ships with slmkit."""
    path = as_path(value)
    for root in (Path(), *lookup.roots()):
        if (root / path).exists():
            return root / path
    where = f"command line: {key}={value}"
    others = {"data": lambda: lookup.names("recipes"), "gold": lambda: list(lookup.gold_folders())}.get(key, list)()
    raise SlmkitError(f"no file or folder {value!r}", where=where, fix=lookup.suggest_file(str(path), others=others))
