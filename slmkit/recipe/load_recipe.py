"""Reads a recipe, one YAML file that names a stage and its arguments, and merges its layers.

Precedence: signature default < profile < recipe < its `profiles.NAME` < command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.cuda import cuda_is_available
from slmkit.errors import SlmkitError, shown
from slmkit.recipe import lookup
from slmkit.recipe.layer import KeyPath, Layer
from slmkit.recipe.yaml_lines import read_yaml

KEYS = (
    "title", "teaches", "source", "seeds", "lesson", "stage", "with", "sweep", "expect", "breaks", "honest",
    "profiles",
)  # fmt: skip


@dataclass
class Recipe:
    """A recipe merged with its section for the profile; `layer.value["with"]` has its arguments."""

    name: str
    path: Path
    layer: Layer
    profile: str

    def get(self, key: str, default: Any = None) -> Any:
        return self.layer.value.get(key, default)

    @property
    def stage(self) -> str:
        return str(self.layer.value["stage"])


def load_recipe(name: str, *, profile: str, breaks: bool = False) -> Recipe:
    """Reads a recipe and merges its section for the profile over it; breaks=True merges `breaks.with` last."""
    name, path = lookup.find_recipe(name)
    own = read_yaml(path)
    _check_keys(own)
    layer = Layer({"with": {}})
    layer.merge(own)
    if special := _inner(own, ("profiles", profile)):
        layer.merge(special)
    _check_red(layer)
    if breaks:
        broken = _inner(own, ("breaks",))
        if broken is None:
            raise SlmkitError(
                f"recipe {name!r} has no `breaks`",
                where=shown(path),
                fix="add `breaks: {with: {KEY: VALUE}, red: [METRIC]}`",
            )
        layer.merge(Layer({"with": broken.value.get("with") or {}}, broken.lines))
    if not layer.value.get("stage"):
        raise SlmkitError(
            f"recipe {name!r} has no stage", where=shown(path), fix="add a stage, for example `stage: sft`"
        )
    return Recipe(name, path, layer, profile)


def load_profile(name: str) -> tuple[str, Layer]:
    """The name and values of a profile; "auto" is gpu if CUDA is available, else tiny."""
    if name == "auto":
        name = "gpu" if cuda_is_available() else "tiny"
    path = lookup.find("configs/profiles", name)
    if path is None:
        raise SlmkitError(f"unknown profile {name!r}", fix=lookup.suggest(name, lookup.names("configs/profiles")))
    return name, read_yaml(path)


def _check_keys(layer: Layer) -> None:
    """Refuses unknown keys and values of the wrong type in every section of a recipe."""
    _check_names(layer, (), KEYS, "a recipe")
    for profile in _mapping(layer, ("profiles",)):
        path: KeyPath = ("profiles", profile)
        if lookup.find("configs/profiles", str(profile)) is None:
            fix = lookup.suggest(str(profile), lookup.names("configs/profiles"))
            raise SlmkitError(f"unknown profile {profile!r}", where=layer.where(path), fix=fix)
        special = _mapping(layer, path)
        _check_names(layer, path, ("with", "expect"), "a profile in a recipe")
        _check_bounds(layer, (*path, "expect"))
        if "with" in special and special["with"] is None:
            special["with"] = {}
    _check_bounds(layer, ("expect",))
    _check_names(layer, ("breaks",), ("with", "red"), "`breaks`")
    if layer.value.get("with") is None:
        layer.value["with"] = {}


def _check_names(layer: Layer, path: KeyPath, known: tuple[str, ...], what: str) -> None:
    """Refuses unknown keys, and values of the wrong type, in the mapping at a path."""
    for key, value in _mapping(layer, path).items():
        where = layer.where((*path, key))
        if key not in known:
            fix = lookup.suggest(str(key), known)
            if key == "base" and not path:
                fix = "copy the values of the base into this recipe: recipes no longer have a base"
            raise SlmkitError(f"unknown key {key!r} in {what}", where=where, fix=fix)
        kind = _KINDS.get(key)
        if value is not None and kind and not isinstance(value, kind):
            raise SlmkitError(f"invalid value for {key}: {value!r}", where=where, fix=f"use {_KIND_NAMES[kind]}")


def _mapping(layer: Layer, path: KeyPath) -> dict[Any, Any]:
    """The mapping at a path; empty if there is none."""
    value = layer.value
    for step in path:
        value = value.get(step)
        if value is None:
            return {}
        if not isinstance(value, dict):
            what = f"invalid value for {'.'.join(map(str, path))}: {value!r}"
            raise SlmkitError(what, where=layer.where(path), fix=f"use {_KIND_NAMES[dict]}")
    found: dict[Any, Any] = value
    return found


def _check_red(layer: Layer) -> None:
    """`breaks` needs `with`, the change, and `red`, the checks of `expect` that must then fail."""
    breaks = _mapping(layer, ("breaks",))
    fixes = {
        "with": "add `with: {KEY: VALUE}`, which removes the idea",
        "red": "add `red: [METRIC]`, a metric of `expect`",
    }
    for key, fix in fixes.items():
        if breaks and not breaks.get(key):
            raise SlmkitError(f"`breaks` needs {key!r}", where=layer.where(("breaks",)), fix=fix)
    for i, name in enumerate(breaks.get("red") or []):
        if name not in _mapping(layer, ("expect",)):
            what = f"breaks.red names {name!r}, which is not in `expect`"
            raise SlmkitError(
                what, where=layer.where(("breaks", "red", i)), fix=f"add `{name}: [LOW, HIGH]` to `expect`"
            )


def _check_bounds(layer: Layer, path: KeyPath) -> None:
    """Refuses bounds that are not a pair of numbers, or that no number can meet."""
    for name, bounds in _mapping(layer, path).items():
        where = layer.where((*path, name))
        if not isinstance(name, str):
            raise SlmkitError(f"the metric name {name!r} is not text", where=where, fix="use the name of a metric")
        is_pair = isinstance(bounds, list) and len(bounds) == 2
        if not is_pair or any(isinstance(end, bool) or not isinstance(end, int | float | None) for end in bounds):
            raise SlmkitError(
                f"invalid bounds for expect.{name}: {bounds!r}",
                where=where,
                fix="use [LOW, HIGH]; null means no bound",
            )
        low, high = bounds
        if low is not None and high is not None and low > high:
            raise SlmkitError(
                f"expect.{name} is {bounds!r}: the lower bound is above the upper bound",
                where=where,
                fix=f"use [{high}, {low}]",
            )


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("with", "sweep", "expect", "lesson", "breaks", "profiles"), dict),
    **dict.fromkeys(("stage", "title"), str),
    "red": list,
}
_KIND_NAMES = {dict: "a mapping of keys to values", str: "text", list: "a list: [a, b]"}


def _inner(layer: Layer, path: KeyPath) -> Layer | None:
    """The part of a layer below a path; None if there is no mapping."""
    value = layer.at(path)
    if not isinstance(value, dict):
        return None
    depth = len(path)
    return Layer(
        value, {at[depth:]: line for at, line in layer.lines.items() if at[:depth] == path and len(at) > depth}
    )
