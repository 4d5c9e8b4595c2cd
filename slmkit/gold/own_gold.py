"""Gold sets of the user's own data: how they are named, found, and frozen the first time a file is used."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.console import console, out
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.lookup import as_path
from slmkit.recipe.read_keys import Columns, existing_path, read_keys

if TYPE_CHECKING:
    from slmkit.gold.gold_set import Gold

# Keys of `prepare` by which the gold set is read too.
READING_KEYS = (*(field.name for field in fields(Columns)), "group_column", "encoding", "allow_loss")
DECIDE_GOLD = ("data", *READING_KEYS)  # keys that need no recipe to accept them then
_LOOP = ("loop/prepare", "loop/train", "loop/eval", "loop/compare")
_GENERIC_NAMES = ("train", "data", "dataset", "all", "examples", "rows")  # of files: the folder's name is added


@dataclass(frozen=True, kw_only=True)
class FreezeKeys(Columns):
    """What decides a gold set: the data, questions in a file of their own, how they are read, what stays together."""

    data: str
    gold: str | None = None
    group_column: str | None = None
    encoding: str | None = None
    allow_loss: bool = False


def with_gold(
    recipe: str, values: dict[str, Any], *, always: bool = False, dry_run_folder: Path | None = None
) -> dict[str, Any]:
    """The values for a recipe of the loop, with `gold` set to the gold set that belongs to `data`.

    Comparing, evaluating and training freeze it if the data are new; preparing does not. Other recipes, and values
    without `data`, are left as they are; with always=True they are treated as a comparison. dry_run_folder: see
    freeze_gold_of.
    """
    name = lookup.find_recipe(recipe)[0]
    if "data" not in values or not (always or name in _LOOP):
        return values
    is_shipped = bool(lookup.find("recipes", str(values["data"])))
    if name == "loop/prepare" or (name == "loop/train" and ("gold" in values or is_shipped)):
        return dict(values) if "gold" in values else {**values, "gold": known_gold_of(values["data"])}
    return freeze_gold_of(values, dry_run_folder=dry_run_folder)


def freeze_gold_of(
    values: dict[str, Any], *, name: str | None = None, dry_run_folder: Path | None = None
) -> dict[str, Any]:
    """The command line's values with `gold` set to a frozen folder; it is frozen now if the data are new.

    name: the gold set's name, by default made from the data file's. dry_run_folder: a temporary folder; a dry run
    freezes new data there instead of in gold/.
    """
    known = {field.name for field in fields(FreezeKeys)}
    keys = read_keys("loop", {key: value for key, value in values.items() if key in known}, FreezeKeys)
    if lookup.find("recipes", keys.data):
        return _with_shipped_gold(values, keys.data)
    path = existing_path("data", keys.data)
    gold_path = existing_path("gold", keys.gold) if keys.gold else None
    folder = Path("gold") / (name or gold_name(path))
    if dry_run_folder and not folder.exists() and not (gold_path and (gold_path / "card.yaml").is_file()):
        frozen = freeze_file(path, gold_path, dry_run_folder / folder, values, quiet=True)
        out.print(f"{'freeze':<10} {folder}  (new data: {path}; run keys below will change)", markup=False)
    else:
        frozen = freeze_file(path, gold_path, folder, values)
    return {**values, "gold": str(frozen.folder)}


def freeze_file(path: Path, gold: Path | None, folder: Path, values: dict[str, Any], *, quiet: bool = False) -> Gold:
    """Freezes the gold set of a data file in a folder, or reads the one frozen there before."""
    from slmkit.gold.freeze import freeze_once

    def print_note(text: str) -> None:
        if not quiet:
            console.print(f"  {text}", markup=False)

    reading = {key: values[key] for key in READING_KEYS if key in values}
    return freeze_once(path, folder=folder, gold=gold, on_note=print_note, **reading)


def with_gold_folders(values: dict[str, Any]) -> dict[str, Any]:
    """The values with names of frozen sets as paths: gold=tickets is gold=gold/tickets; more_gold lists several.

    The name may also be that of the folder of the data.
    """

    def folder_of(name: Any) -> Any:
        if not isinstance(name, str | int):
            return name
        path = as_path(str(name))
        is_name = not path.exists() or (path.is_dir() and not (path / "card.yaml").is_file())
        return f"gold/{name}" if is_name and str(name) in lookup.gold_folders() else name

    found = {key: folder_of(values[key]) for key in ("gold",) if key in values}
    if isinstance(names := values.get("more_gold"), list):
        found["more_gold"] = [folder_of(name) for name in names]
    elif "more_gold" in values:
        found["more_gold"] = [folder_of(names)]
    return {**values, **found}


def known_gold_of(data: Any) -> str | None:
    """The gold set that belongs to some data, shipped or frozen before; None if there is none yet.

    Raises: SlmkitError if the set of that name was frozen from other data.
    """
    from slmkit.gold.frozen_from import read_frozen

    name = str(data)
    if lookup.find("recipes", name):
        return _shipped_gold(name)
    path = as_path(name)
    folder = Path("gold") / gold_name(path)
    if not (folder / "card.yaml").is_file():
        return None
    if path.exists():
        read_frozen(folder, data=path, gold=None, columns={}, on_note=lambda _: None)
    return str(folder)


def gold_name(data: Path) -> str:
    """The name of a data file's gold set: the file's stem, preceded by its folder's name if the stem is generic.

    A set that ships with slmkit keeps its name to itself: that of tickets.csv is own-tickets.
    """
    path = data.resolve()
    stem = path.stem if path.is_file() else path.name
    if path.is_file() and stem.lower() in _GENERIC_NAMES:
        stem = f"{path.parent.name}-{stem}"
    name = re.sub(r"[\W_]+", "-", stem.lower()).strip("-") or "own-data"
    return f"own-{name}" if is_shipped(name) else name


def is_shipped(name: str) -> bool:
    """Whether a gold set of that name ships with slmkit, so that recipes which ship with it mean that set."""
    return (lookup.roots()[-1] / "gold" / name / "card.yaml").is_file()


def find_gold(name: str) -> Path:
    """The folder of a gold set given by name ("tickets") or as a path."""
    for folder in (as_path(name), *(root / "gold" / name for root in lookup.roots())):
        if (folder / "card.yaml").is_file():
            return folder
        if (folder / "examples.jsonl").is_file():
            fix = "restore card.yaml: it holds the hash that proves the examples are unchanged"
            raise SlmkitError("the gold set has no card.yaml", where=str(folder), fix=fix)
    fix = lookup.suggest(name, lookup.gold_folders(), "`slmkit gold freeze data=FILE` makes one")
    raise SlmkitError(f"no gold set {name!r}", where="command line", fix=fix)


def _with_shipped_gold(values: dict[str, Any], recipe: str) -> dict[str, Any]:
    """Values for data=world/skills: a task of the micro-world that ships with its own gold set."""
    if "gold" in values:
        return values
    gold = _shipped_gold(recipe)
    if gold is None:
        fix = "set one: gold=FOLDER"
        raise SlmkitError(f"recipe {recipe!r} has no gold set", where=f"command line: data={recipe}", fix=fix)
    return {**values, "gold": gold}


def _shipped_gold(recipe: str) -> str | None:
    folder = Path("gold") / recipe.rpartition("/")[2]
    return str(folder) if any((root / folder / "card.yaml").is_file() for root in lookup.roots()) else None
