"""Checks a recipe's arguments against the signature of its stage, recursively through parts, before anything runs.

First `validate` checks the values of one signature: unknown keys are refused, types are strict. Then the names of
recipes, files, models and parts among them are looked up.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import ValidationError

from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.binding_error import binding_error, unknown_key
from slmkit.recipe.call import Call, Part
from slmkit.recipe.find_reference import find_reference
from slmkit.recipe.layer import KeyPath, Layer
from slmkit.recipe.load_recipe import Recipe
from slmkit.recipe.signature import check_signature, parameters
from slmkit.recipe.validate import Group, Pending, validate
from slmkit.types import PartOf, Reads


@dataclass
class Fallback:
    """Values by parameter name, used wherever the recipe sets none, and which of them were used."""

    values: Mapping[str, Any]
    origin: Callable[[str], str]
    used: set[str] = field(default_factory=set)


def bind(recipe: Recipe, fallbacks: list[Fallback]) -> Call:
    """The stage and arguments of a recipe, or SlmkitError with file, line and the nearest valid name.

    fallbacks: by decreasing priority, usually the undotted keys of the command line and the profile.
    """
    function = load_stage(recipe)
    binder = _Binder(recipe.layer, fallbacks)
    arguments = binder.bind(function, recipe.layer.value["with"], ("with",), f"stage {recipe.stage!r}")
    return Call(recipe, function, arguments, binder.origins)


def load_stage(recipe: Recipe) -> Callable[..., Any]:
    """The function that a recipe's `stage` names."""
    try:
        function = lookup.load_stage(recipe.stage)
    except SlmkitError as error:
        raise SlmkitError(error.what, where=error.where or recipe.layer.where(("stage",)), fix=error.fix) from None
    check_signature(function, is_stage=True)
    return function


def bind_part(folder: str, name: str, options: Mapping[str, Any]) -> Part:
    """A part of slmkit/<folder> bound without a recipe, for the Python API."""
    path = ("with", folder.rstrip("s"))
    value = {"use": name, **options}
    return _Binder(Layer({"with": {path[1]: value}}), []).part(Pending(PartOf(folder), value), path)


class _Binder:
    def __init__(self, layer: Layer, fallbacks: list[Fallback]) -> None:
        self.layer, self.fallbacks = layer, fallbacks
        self.origins: dict[str, str] = {}  # "systems.rag.top_k" -> "recipes/loop/compare.yaml:12"
        self.filled: dict[KeyPath, str] = {}  # keys set by a fallback, and their origin

    def bind(self, function: Callable[..., Any], given: Mapping[str, Any], path: KeyPath, what: str) -> dict[str, Any]:
        """The validated keyword arguments of one stage or part; `given` are the values at `path` in the recipe."""
        known = parameters(function)
        values = dict(given)
        for name in known:
            key_path = (*path, name)
            dotted = _dotted(key_path)
            if name in values:
                self.origins[dotted] = self._line(key_path)
            elif fallback := next((one for one in self.fallbacks if name in one.values), None):
                values[name] = fallback.values[name]
                fallback.used.add(name)
                self.origins[dotted] = self.filled[key_path] = fallback.origin(name)
            else:
                self.origins[dotted] = "default"
        for name in known.keys() & values.keys():
            values[name] = _with_default_part(values[name], known[name])
        try:
            validated = validate(function, values)
        except ValidationError as error:
            raise binding_error(
                error, function, values, what=what, layer=self.layer, path=path, where=self._where
            ) from None
        return {name: self._resolve(value, (*path, name)) for name, value in validated.items()}

    def _resolve(self, value: Any, path: KeyPath) -> Any:
        """Replaces pending names by references and parts, at any depth."""
        if isinstance(value, Pending):
            if isinstance(value.marker, Reads):
                return find_reference(value.value, is_model=value.marker.kind == "model", where=self._where(path))
            return self.part(value, path)
        if isinstance(value, list):
            return [self._resolve(inner, (*path, i)) for i, inner in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._resolve(inner, (*path, key)) for key, inner in value.items() if inner is not None}
        if isinstance(value, Group):
            self._record_origins(value, path)
            return value.kind(**{name: self._resolve(inner, (*path, name)) for name, inner in value.values.items()})
        return value

    def _record_origins(self, group: Group, path: KeyPath) -> None:
        """The origin of each field of a group; a field that the recipe does not set has its default."""
        given = self.layer.at(path)
        if path in self.filled or not isinstance(given, dict):
            return
        for name in group.values:
            self.origins[_dotted((*path, name))] = self._line((*path, name)) if name in given else "default"

    def part(self, pending: Pending, path: KeyPath) -> Part:
        value, folder = pending.value, pending.marker.folder
        if isinstance(value, Part):
            return value
        if callable(value):  # a default written as the function itself
            value = value.__name__
        name, options = (value, {}) if isinstance(value, str) else (value.get("use"), dict(value))
        options.pop("use", None)
        kind = folder.rstrip("s")
        if not isinstance(name, str):
            raise self._missing_part_name(kind, folder, path)
        try:
            function = lookup.load_part(folder, name)
        except SlmkitError as error:
            raise SlmkitError(error.what, where=self._where(path), fix=error.fix) from None
        check_signature(function, is_stage=False)
        options = self._without_keys_of_another(folder, function, options, path)
        part = Part(folder, name, function, self.bind(function, options, path, f"{kind} {name!r}"))
        part.options = options
        return part

    def _without_keys_of_another(
        self, folder: str, function: Callable[..., Any], options: dict[str, Any], path: KeyPath
    ) -> dict[str, Any]:
        """The options, without those of the recipe's own part if the command line names another: system.use=NAME.

        Raises: SlmkitError for a key that neither part has: it is misspelt, not another's.
        """
        own = self.layer.replaced.get((*path, "use"))
        if own is None:
            return options
        known, its = parameters(function), parameters(lookup.load_part(folder, own))
        kept = {}
        for key, value in options.items():
            where = self.layer.where((*path, key))
            if key in known or where.startswith("command line"):
                kept[key] = value
            elif key not in its:
                raise unknown_key((key,), its, what=f"{folder.rstrip('s')} {own!r}", where=where)
        return kept

    def _missing_part_name(self, kind: str, folder: str, path: KeyPath) -> SlmkitError:
        """Without `use`, the key itself may be misspelt: `systems.rga.top_k` beside a system `rag`."""
        fix = f"add `use: NAME`, where NAME is one of {', '.join(lookup.part_files(folder))}"
        parent = self.layer.at(path[:-1])
        siblings = parent.items() if isinstance(parent, dict) and len(path) > 2 else ()
        names = [str(key) for key, part in siblings if key != path[-1] and isinstance(part, str | dict)]
        if names:
            fix = f"{lookup.suggest(str(path[-1]), names)}, or {fix}"
        return SlmkitError(f"a {kind} needs a name", where=self._where(path), fix=fix)

    def _line(self, path: KeyPath) -> str:
        return self.layer.where(path).partition(": ")[0]

    def _where(self, path: KeyPath) -> str:
        """As Layer.where, but for a key set by a fallback the origin of that value."""
        for end in range(len(path), 1, -1):
            if origin := self.filled.get(path[:end]):
                return f"{origin}: {_dotted(path)}"
        return self.layer.where(path)


def _dotted(path: KeyPath) -> str:
    """("with", "systems", "rag", "top_k") -> "systems.rag.top_k"."""
    return ".".join(str(step) for step in path[1:])


def _with_default_part(value: Any, parameter: Any) -> Any:
    """Options without `use` belong to the part that is the default: retriever: {k1: 2}."""
    default = getattr(parameter.default, "__name__", parameter.default)
    is_part = any(isinstance(extra, PartOf) for extra in typing.get_args(parameter.annotation)[1:])
    if is_part and isinstance(value, Mapping) and "use" not in value and isinstance(default, str):
        return {"use": default, **value}
    return value
