"""Finds what the value of an `Input` or `Model` key refers to: a recipe, a file or folder, or a model."""

from __future__ import annotations

from pathlib import Path

from slmkit.errors import SlmkitError
from slmkit.files import PACKAGE
from slmkit.recipe import lookup
from slmkit.recipe.call import Reference
from slmkit.recipe.yaml_lines import read_yaml


def find_reference(name: str, *, is_model: bool, where: str) -> Reference:
    """A recipe of that name, otherwise a model or a file. Raises: SlmkitError if there is none."""
    if lookup.find("recipes", name):
        return Reference("recipe", name, is_model=is_model)
    return find_model(name, where) if is_model else _find_file(name, where)


def find_model(name: str, where: str) -> Reference:
    """A model by card, folder or hub id, in that order."""
    card = lookup.find("configs/models", name)
    if card is not None:
        values = read_yaml(card).value
        if asset := values.get("asset"):
            return Reference("model", name, PACKAGE / str(asset), is_model=True)
        if "hub_id" not in values:
            fix = "add `hub_id: org/name`"
            raise SlmkitError(f"the model card of {name!r} has neither hub_id nor asset", where=str(card), fix=fix)
        return Reference("model", str(values["hub_id"]), is_model=True)
    if (folder := lookup.as_path(name)).is_dir():
        return Reference("model", name, folder, is_model=True)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")) and " " not in name:
        return Reference("model", name, is_model=True)
    options = "use the name of a card in configs/models, a folder, or a hub id (org/name)"
    fix = lookup.suggest(name, lookup.names("configs/models"), options)
    raise SlmkitError(f"unknown model {name!r}", where=where, fix=fix)


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
