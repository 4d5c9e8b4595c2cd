"""Checks a recipe's arguments against the signature of its stage, recursively through parts, before anything runs.

`checker` checks the values of one signature: unknown keys are forbidden, types are strict.
What names a file, a recipe, a model or a part is looked up in a second pass, when its place is known.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import ValidationError

from slmkit.errors import SlmkitError
from slmkit.files import PACKAGE
from slmkit.recipe import lookup
from slmkit.recipe.call import Call, Part, Reference
from slmkit.recipe.layer import KeyPath, Layer
from slmkit.recipe.load_recipe import Recipe
from slmkit.recipe.signature import check_signature, parameters, source_location
from slmkit.recipe.validate import Group, Pending, expected_text, quoting_hint, validate
from slmkit.recipe.yaml_lines import read_yaml
from slmkit.types import PartOf, Reads


@dataclass
class Fallback:
    """Values that fill parameters by name wherever the recipe leaves them unset, and which of them were used."""

    values: Mapping[str, Any]
    origin: Callable[[str], str]
    used: set[str] = dataclasses.field(default_factory=set)


def bind(recipe: Recipe, fills: list[Fallback]) -> Call:
    """The stage and arguments of a recipe, or SlmkitError naming file, line and the nearest right name.

    fills: by decreasing priority, usually the command line's undotted keys and the profile.
    """
    function = stage_of(recipe)
    origins: dict[str, str] = {}
    binder = _Binder(recipe.layer, fills, origins)
    arguments = binder.bind(function, recipe.layer.value["with"], ("with",), f"stage {recipe.stage!r}")
    return Call(recipe, function, arguments, origins)


def stage_of(recipe: Recipe) -> Callable[..., Any]:
    """The function a recipe's `stage` names."""
    try:
        function = lookup.load_stage(recipe.stage)
    except SlmkitError as error:
        raise SlmkitError(error.what, where=error.where or recipe.layer.where(("stage",)), fix=error.fix) from None
    check_signature(function, is_stage=True)
    return function


class _Binder:
    def __init__(self, layer: Layer, fills: list[Fallback], origins: dict[str, str]) -> None:
        self.layer, self.fills, self.origins = layer, fills, origins
        self.filled: dict[KeyPath, str] = {}  # places the recipe leaves unset, and where their values come from

    def bind(
        self, function: Callable[..., Any], given: Mapping[str, Any], place: KeyPath, what: str
    ) -> dict[str, Any]:
        """The checked keyword arguments of one stage or part."""
        known = parameters(function)
        values = dict(given)
        dotted = ".".join(str(step) for step in place[1:])
        for name in known:
            at = f"{dotted}.{name}" if dotted else name
            if name in values:
                self.origins[at] = self.layer.where((*place, name)).partition(": ")[0]
                continue
            self.origins[at] = "default"
            for fill in self.fills:
                if name in fill.values:
                    values[name] = fill.values[name]
                    fill.used.add(name)
                    self.origins[at] = self.filled[*place, name] = fill.origin(name)
                    break
        for name in known.keys() & values.keys():
            values[name] = _of_default(values[name], known[name])
        try:
            found = validate(function, values)
        except ValidationError as error:
            raise self._explain(error, function, values, place, what) from None
        return {name: self._resolve(value, (*place, name)) for name, value in found.items()}

    def _resolve(self, value: Any, place: KeyPath) -> Any:
        """Looks up what pass one left pending: references and parts, at any depth."""
        if isinstance(value, Pending):
            if isinstance(value.marker, Reads):
                return self._read(value, place)
            return self._part(value, place)
        if isinstance(value, list):
            return [self._resolve(inner, (*place, i)) for i, inner in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._resolve(inner, (*place, key)) for key, inner in value.items() if inner is not None}
        if isinstance(value, Group):
            self._note_origins(value, place)
            return value.kind(**{name: self._resolve(inner, (*place, name)) for name, inner in value.values.items()})
        return value

    def _note_origins(self, group: Group, place: KeyPath) -> None:
        """Where each field of a group comes from: those that are not given have their defaults."""
        given = self.layer.at(place)
        if place in self.filled or not isinstance(given, dict):
            return
        for name in group.values:
            at = (*place, name)
            origin = self.layer.where(at).partition(": ")[0] if name in given else "default"
            self.origins[".".join(str(step) for step in at[1:])] = origin

    def _read(self, pending: Pending, place: KeyPath) -> Reference:
        name = pending.value
        is_model = pending.marker.kind == "model"
        if lookup.find("recipes", name):
            return Reference("recipe", name, is_model=is_model)
        if is_model:
            return find_model(name, self._where(place))
        for root in (Path(), *lookup.roots()[1:]):
            if (path := root / as_path(name)).exists():
                return Reference("file", name, path)
        gold = [f"gold/{one}" for one in lookup.gold_folders()]
        fix = lookup.suggest(name, [*lookup.names("recipes"), *gold], lookup.suggest_file(str(as_path(name))))
        if name.count("/") == 1 and not Path(name).suffix:
            fix += f"; a data set of the Hugging Face hub: data=data/hub dataset={name}"
        raise SlmkitError(f"no file, folder or recipe {name!r}", where=self._where(place), fix=fix)

    def _part(self, pending: Pending, place: KeyPath) -> Part:
        value, folder = pending.value, pending.marker.folder
        if isinstance(value, Part):
            return value
        if callable(value):  # a default written as the function itself
            value = value.__name__
        name, given = (value, {}) if isinstance(value, str) else (value.get("use"), dict(value))
        given.pop("use", None)
        kind = folder.rstrip("s")
        if not isinstance(name, str):
            options = ", ".join(lookup.part_files(folder))
            fix = f"add `use: NAME`, one of {options}"
            if siblings := self._beside(place):
                fix = f"{lookup.suggest(str(place[-1]), siblings)}, or {fix}"
            raise SlmkitError(f"a {kind} needs a name", where=self._where(place), fix=fix)
        try:
            function = lookup.load_part(folder, name)
        except SlmkitError as error:
            raise SlmkitError(error.what, where=self._where(place), fix=error.fix) from None
        check_signature(function, is_stage=False)
        part = Part(folder, name, function, self.bind(function, given, place, f"{kind} {name!r}"))
        part.options = given
        return part

    def _beside(self, place: KeyPath) -> list[str]:
        """The names of the parts that stand beside a place: the other systems of a comparison."""
        value = self.layer.at(place[:-1])
        named = value.items() if isinstance(value, dict) and len(place) > 2 else ()
        return [str(key) for key, part in named if key != place[-1] and isinstance(part, str | dict)]

    def _where(self, place: KeyPath) -> str:
        """As Layer.where; a value that fills a key stands where it was given, not in the recipe."""
        for end in range(len(place), 1, -1):
            if origin := self.filled.get(place[:end]):
                return f"{origin}: {'.'.join(map(str, place[1:]))}"
        return self.layer.where(place)

    def _explain(
        self,
        error: ValidationError,
        function: Callable[..., Any],
        values: Mapping[str, Any],
        place: KeyPath,
        what: str,
    ) -> SlmkitError:
        known = parameters(function)
        first = error.errors()[0]
        for one in error.errors():  # a wrong key is nearer to the cause than a missing one
            if one["type"] == "extra_forbidden":
                first = one
                break
        loc = _within(self.layer.at(place), first["loc"])
        where = self._where((*place, *loc))
        if first["type"] == "extra_forbidden":
            options = list(known) if len(loc) == 1 else _group_keys(known, loc[:-1])
            key = str(loc[-1])
            keys = f"one of {', '.join(sorted(options))}" if options else "leave it out: it takes no keys"
            fix = lookup.suggest(key, options, keys)
            return SlmkitError(f"{what} has no key {key!r}", where=where, fix=fix)
        if first["type"] == "missing":
            where = self.layer.where(place) if place != ("with",) else self._top()
            return SlmkitError(f"{what} needs a value for {loc[-1]!r}", where=where, fix=f"add `{loc[-1]}: …`")
        here = [one["msg"] for one in error.errors() if _within(self.layer.at(place), one["loc"]) == loc]
        dotted, fix = ".".join(str(step) for step in loc), f"give {expected_text(here)}"
        if loc[0] not in values:
            what = f"the default of {dotted} is {first['input']!r}"
            return SlmkitError(what, where=source_location(function), fix=fix)
        fix += quoting_hint(first["input"], fix, dotted if where.startswith("command line") else "")
        return SlmkitError(f"{dotted} is {first['input']!r}", where=where, fix=fix)

    def _top(self) -> str:
        return next((line for place, line in self.layer.lines.items() if place and place[0] == "stage"), "")


def find_model(name: str, where: str) -> Reference:
    """A model by card, folder or hub id, in that order."""
    card = lookup.find("configs/models", name)
    if card is not None:
        values = read_yaml(card).value
        if asset := values.get("asset"):
            return Reference("model", name, PACKAGE / str(asset), is_model=True)
        if "hub_id" not in values:
            raise SlmkitError("a model card needs a hub_id or an asset", where=str(card), fix="hub_id: org/name")
        return Reference("model", str(values["hub_id"]), is_model=True)
    if as_path(name).is_dir():
        return Reference("model", name, as_path(name), is_model=True)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")) and " " not in name:
        return Reference("model", name, is_model=True)
    fix = lookup.suggest(
        name, lookup.names("configs/models"), "give a card of configs/models, a folder, or a hub id org/name"
    )
    raise SlmkitError(f"unknown model {name!r}", where=where, fix=fix)


def as_path(name: str) -> Path:
    """A file or folder as it was typed: the shell leaves the ~ of data=~/rows.csv alone."""
    return Path(name).expanduser() if name.startswith("~/") else Path(name)


def _within(value: Any, loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """The leading steps of a pydantic location that exist in the YAML, plus the last one: drops union labels."""
    kept = []
    for i, step in enumerate(loc):
        inside = step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
        if inside:
            kept.append(step)
            value = value[step]
        elif i == 0:
            kept.append(step)
            value = None
    return tuple(kept)


def _of_default(value: Any, parameter: Any) -> Any:
    """Options without the name of a part are those of the part that is the default: retriever: {k1: 2}."""
    default = getattr(parameter.default, "__name__", parameter.default)
    is_part = any(isinstance(extra, PartOf) for extra in typing.get_args(parameter.annotation)[1:])
    if is_part and isinstance(value, Mapping) and "use" not in value and isinstance(default, str):
        return {"use": default, **value}
    return value


def _group_keys(known: Mapping[str, Any], loc: tuple[Any, ...]) -> list[str]:
    """The keys of the group at a place, through groups in groups and lists of them."""
    annotation = known[loc[0]].annotation if loc and loc[0] in known else None
    groups = _groups_in(annotation)
    for step in loc[1:]:
        if isinstance(step, str):
            hints = [typing.get_type_hints(group, include_extras=True).get(step) for group in groups]
            groups = [inner for hint in hints for inner in _groups_in(hint)]
    return [field.name for group in groups for field in dataclasses.fields(group)]


def _groups_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return [annotation]
    return [group for arg in typing.get_args(annotation) for group in _groups_in(arg)]
