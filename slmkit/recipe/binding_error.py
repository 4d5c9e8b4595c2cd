"""Turns a validation error of pydantic into an error that names the key, its line and the nearest valid key."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ValidationError

from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.layer import KeyPath, Layer
from slmkit.recipe.signature import parameters, source_location
from slmkit.recipe.validate import expected_text, quoting_hint


def binding_error(
    error: ValidationError,
    function: Callable[..., Any],
    values: Mapping[str, Any],
    *,
    what: str,
    layer: Layer,
    path: KeyPath,
    where: Callable[[KeyPath], str],
) -> SlmkitError:
    """The first mistake in the values of a stage or part.

    what: the stage or part as messages name it. path: of its values in the recipe. where: the location of a key.
    """
    known = parameters(function)
    value = layer.at(path)
    details = error.errors()
    # An unknown key is reported before a missing one: it is often the same key, misspelt.
    first = next((detail for detail in details if detail["type"] == "extra_forbidden"), details[0])
    loc = _existing_keys(value, first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_key(loc, known, what=what, where=where((*path, *loc)))
    if first["type"] == "missing":
        line = layer.where(path) if path != ("with",) else _stage_line(layer)
        fix = _missing_fix(str(loc[-1]), path)
        return SlmkitError(f"{what} needs a value for {loc[-1]!r}", where=line, fix=fix)
    dotted = ".".join(str(step) for step in loc)
    fix = f"use {expected_text(one['msg'] for one in details if _existing_keys(value, one['loc']) == loc)}"
    if loc[0] not in values:
        return SlmkitError(
            f"invalid default for {dotted}: {first['input']!r}", where=source_location(function), fix=fix
        )
    location = where((*path, *loc))
    fix += quoting_hint(first["input"], fix, dotted if location.startswith("command line") else "")
    return SlmkitError(f"invalid value for {dotted}: {first['input']!r}", where=location, fix=fix)


def unknown_key(loc: KeyPath, known: Mapping[str, Any], *, what: str, where: str) -> SlmkitError:
    """The error for a key that a stage or part does not have; loc: its steps below the values."""
    key = str(loc[-1])
    options = list(known) if len(loc) == 1 else _group_keys(known, loc[:-1])
    otherwise = f"use one of {', '.join(sorted(options))}" if options else "remove it; there are no keys"
    return SlmkitError(f"{what} has no key {key!r}", where=where, fix=lookup.suggest(key, options, otherwise))


def _missing_fix(key: str, path: KeyPath) -> str:
    """What to add; for a part also as it is typed on the command line."""
    value = "loop/prepare" if key == "train" else "VALUE"
    if len(path) < 2 or not all(isinstance(step, str) for step in path):
        return f"add `{key}: {value}`"
    dotted = ".".join(map(str, path[1:]))
    return f"add {dotted}.{key}={value} (in a recipe, `{key}: {value}` below {dotted})"


def _stage_line(layer: Layer) -> str:
    return next((line for path, line in layer.lines.items() if path and path[0] == "stage"), "")


def _existing_keys(value: Any, loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """The steps of a pydantic location that exist in the YAML value; drops the labels of union members."""
    kept = []
    for i, step in enumerate(loc):
        exists = step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
        if exists:
            kept.append(step)
            value = value[step]
        elif i == 0:
            kept.append(step)
            value = None
    return tuple(kept)


def _group_keys(known: Mapping[str, Any], loc: tuple[Any, ...]) -> list[str]:
    """The keys of the group at a location, through nested groups and lists of groups."""
    groups = _groups_in(known[loc[0]].annotation) if loc and loc[0] in known else []
    for step in loc[1:]:
        if isinstance(step, str):
            hints = [typing.get_type_hints(group, include_extras=True).get(step) for group in groups]
            groups = [inner for hint in hints for inner in _groups_in(hint)]
    return [field.name for group in groups for field in dataclasses.fields(group)]


def _groups_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return [annotation]
    return [group for arg in typing.get_args(annotation) for group in _groups_in(arg)]
