"""Finds what the value of an `Input` or `Model` key refers to: a recipe, a file or folder, or a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.files import PACKAGE
from slmkit.recipe import lookup
from slmkit.recipe.call import Reference
from slmkit.recipe.yaml_lines import read_yaml
from slmkit.weights.hub_snapshot import hub_snapshot
from slmkit.weights.packaged_model import packaged_file, read_package


def find_reference(name: str, *, is_model: bool, where: str) -> Reference:
    """A recipe of that name, otherwise a model or a file. Raises: SlmkitError if there is none."""
    if lookup.find("recipes", name):
        return Reference("recipe", name, is_model=is_model)
    return find_model(name, where) if is_model else _find_file(name, where)


def find_model(name: str, where: str) -> Reference:
    """A model by card, folder, GGUF file or hub id, in that order.

    A card with a package means the package's file, unless the hub's own weights are on this machine: those are not
    rounded. With neither here, it means the hub.
    """
    card = lookup.find("configs/models", name)
    if card is not None:
        values = read_yaml(card).value
        if asset := values.get("asset"):
            return Reference("model", name, PACKAGE / str(asset), is_model=True)
        if "hub_id" not in values:
            fix = "add `hub_id: org/name`"
            raise SlmkitError(f"the model card of {name!r} has neither hub_id nor asset", where=str(card), fix=fix)
        hub_id = str(values["hub_id"])
        if file := _packaged_file(values, hub_id, card):
            return Reference("model", name, file, is_model=True)
        return Reference("model", hub_id, is_model=True)
    path = lookup.as_path(name)
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".gguf"):
        return Reference("model", name, path, is_model=True)
    if path.suffix.lower() == ".gguf":
        fix = lookup.suggest_file(name)
        raise SlmkitError(f"no GGUF file {name!r}", where=where, fix=fix)
    if path.is_file():
        fix = "use its folder, a .gguf file, the name of a card in configs/models, or a hub id (org/name)"
        raise SlmkitError(f"the file {name!r} is not a model", where=where, fix=fix)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")) and " " not in name:
        return Reference("model", name, is_model=True)
    options = "use the name of a card in configs/models, a folder, a .gguf file, or a hub id (org/name)"
    fix = lookup.suggest(name, lookup.names("configs/models"), options)
    raise SlmkitError(f"unknown model {name!r}", where=where, fix=fix)


def _packaged_file(values: Mapping[str, Any], hub_id: str, card: Path) -> Path | None:
    if "package" not in values or hub_snapshot(hub_id) is not None:
        return None
    return packaged_file(read_package(values["package"], where=str(card)))


def _find_file(name: str, where: str) -> Reference:
    path = lookup.as_path(name)
    for root in (Path(), *lookup.roots()[1:]):
        if (root / path).exists():
            return Reference("file", name, root / path)
    gold = [f"gold/{folder}" for folder in lookup.gold_folders()]
    fix = lookup.suggest(name, [*lookup.names("recipes"), *gold], lookup.suggest_file(str(path)))
    if name.count("/") == 1 and not Path(name).suffix:
        fix += f"; for a Hugging Face dataset use data=data/hub dataset={name}"
    raise SlmkitError(f"no file, folder or recipe {name!r}", where=where, fix=fix)
