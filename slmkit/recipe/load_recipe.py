"""A recipe is one YAML file: it names a stage and gives its arguments. Here it is read and its layers are merged.

signature default < profile < recipe < its `profiles.NAME` < command line.
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
    """A recipe with base and profile laid in; `layer.value["with"]` holds the arguments it gives."""

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
    """Reads a recipe, its base, and what it says for the profile; breaks=True lays `breaks.with` on top."""
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
                f"recipe {name!r} has no `breaks`", where=shown(path), fix="add `breaks: {with: …, red: […]}`"
            )
        layer.merge(Layer({"with": broken.value.get("with") or {}}, broken.lines))
    if not layer.value.get("stage"):
        raise SlmkitError(
            "the recipe names no stage", where=shown(path), fix="add `stage: sft`, or a `base:` that has one"
        )
    return Recipe(name, path, layer, profile)


def load_profile(name: str) -> tuple[str, Layer]:
    """The scale words of a profile; "auto" is gpu where CUDA is there, else tiny."""
    if name == "auto":
        name = "gpu" if cuda_is_available() else "tiny"
    path = lookup.find("configs/profiles", name)
    if path is None:
        raise SlmkitError(f"unknown profile {name!r}", fix=lookup.suggest(name, lookup.names("configs/profiles")))
    return name, read_yaml(path)


def _check_keys(layer: Layer) -> None:
    """Refuses keys that nothing reads and values of a wrong kind, in every part of a recipe."""
    _check_names(layer, (), KEYS, "a recipe")
    for profile in _mapping(layer, ("profiles",)):
        place: KeyPath = ("profiles", profile)
        if lookup.find("configs/profiles", str(profile)) is None:
            fix = lookup.suggest(str(profile), lookup.names("configs/profiles"))
            raise SlmkitError(f"unknown profile {profile!r}", where=layer.where(place), fix=fix)
        special = _mapping(layer, place)
        _check_names(layer, place, ("with", "expect"), "a profile in a recipe")
        _check_bounds(layer, (*place, "expect"))
        if "with" in special and special["with"] is None:
            special["with"] = {}
    _check_bounds(layer, ("expect",))
    _check_names(layer, ("breaks",), ("with", "red"), "`breaks`")
    if layer.value.get("with") is None:
        layer.value["with"] = {}


def _check_names(layer: Layer, place: KeyPath, known: tuple[str, ...], what: str) -> None:
    """The keys that stand at a place must be known, and what they hold of the right kind."""
    for key, value in _mapping(layer, place).items():
        where = layer.where((*place, key))
        if key not in known:
            raise SlmkitError(f"unknown key {key!r} in {what}", where=where, fix=lookup.suggest(str(key), known))
        kind = _KINDS.get(key)
        if value is not None and kind and not isinstance(value, kind):
            raise SlmkitError(f"{key!r} cannot be {value!r}", where=where, fix=f"give {_KIND_NAMES[kind]}")


def _mapping(layer: Layer, place: KeyPath) -> dict[Any, Any]:
    """The mapping at a place; none there is an empty one."""
    value = layer.value
    for step in place:
        value = value.get(step)
        if value is None:
            return {}
        if not isinstance(value, dict):
            what = f"{'.'.join(map(str, place))} cannot be {value!r}"
            raise SlmkitError(what, where=layer.where(place), fix=f"give {_KIND_NAMES[dict]}")
    found: dict[Any, Any] = value
    return found


def _check_red(layer: Layer) -> None:
    """What breaks a recipe says what is changed and what must turn red, which is a claim of it."""
    breaks = _mapping(layer, ("breaks",))
    fixes = {"with": "with: {KEY: VALUE}, the idea taken away", "red": "red: [METRIC], a claim of `expect`"}
    for key, fix in fixes.items():
        if breaks and not breaks.get(key):
            raise SlmkitError(f"`breaks` needs {key!r}", where=layer.where(("breaks",)), fix=fix)
    for i, name in enumerate(breaks.get("red") or []):
        if name not in _mapping(layer, ("expect",)):
            what = f"breaks.red names {name!r}, which `expect` does not bound"
            raise SlmkitError(what, where=layer.where(("breaks", "red", i)), fix="add it there")


def _check_bounds(layer: Layer, place: KeyPath) -> None:
    """Refuses a claim that no number can keep, before anything runs."""
    for name, bounds in _mapping(layer, place).items():
        where = layer.where((*place, name))
        if not isinstance(name, str):
            raise SlmkitError(f"no metric is called {name!r}", where=where, fix="name a metric of the run")
        is_pair = isinstance(bounds, list) and len(bounds) == 2
        if not is_pair or any(isinstance(end, bool) or not isinstance(end, int | float | None) for end in bounds):
            raise SlmkitError(f"expect.{name} is {bounds!r}", where=where, fix="give [low, high]; null for no bound")
        low, high = bounds
        if low is not None and high is not None and low > high:
            raise SlmkitError(
                f"expect.{name} is {bounds!r}: the low bound is above the high one",
                where=where,
                fix=f"[{high}, {low}]",
            )


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("with", "sweep", "expect", "lesson", "breaks", "profiles"), dict),
    **dict.fromkeys(("stage", "title"), str),
    "red": list,
}
_KIND_NAMES = {dict: "a mapping (key: value lines)", str: "text", list: "a list: [a, b]"}


def _inner(layer: Layer, place: KeyPath) -> Layer | None:
    """The layer that stands inside another one at a place."""
    value = layer.at(place)
    if not isinstance(value, dict):
        return None
    depth = len(place)
    return Layer(
        value, {at[depth:]: line for at, line in layer.lines.items() if at[:depth] == place and len(at) > depth}
    )
