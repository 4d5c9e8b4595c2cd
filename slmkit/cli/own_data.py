"""The user's own file: gold frozen on first sight, and `slmkit new`, which writes a project around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from slmkit.cli.arguments import Columns, existing, read_keys
from slmkit.console import console, out
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.bind import as_path
from slmkit.recipe.yaml_lines import read_yaml

_READING_KEYS = ("text_column", "label_column", "encoding")  # of `prepare`: they also decide what gold reads
_ANY_NAME = (
    "train",
    "data",
    "dataset",
    "all",
    "examples",
    "rows",
)  # file names that say nothing: the folder's is used


@dataclass(frozen=True, kw_only=True)
class FreezeKeys(Columns):
    """What decides a gold set: its data, questions given beside them, and how a file is read."""

    data: str
    gold: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewKeys(FreezeKeys):
    """What `new` takes."""

    documents: str | None = None


def freeze_gold_of(values: dict[str, Any], *, name: str | None = None, trial: Path | None = None) -> dict[str, Any]:
    """The command line's values with `gold` set to a frozen folder, made now on first sight of the data.

    name: of the gold set; None takes that of the data file. trial: a folder that will be thrown away, into which a dry
    run freezes what it sees for the first time.
    """
    known = {field.name for field in fields(FreezeKeys)}
    keys = read_keys("loop", {key: value for key, value in values.items() if key in known}, FreezeKeys)
    data = keys.data
    if lookup.find("recipes", data):
        return _with_shipped_gold(values, data)
    path = existing("data", data)
    gold_path = existing("gold", keys.gold) if keys.gold else None
    folder = Path("gold") / (name or gold_name(path))
    if trial and not folder.exists() and not (gold_path and (gold_path / "card.yaml").is_file()):
        frozen = _freeze(path, gold_path, trial / folder, values, is_told=False)
        out.print(f"{'freeze':<10} {folder}  (first sight of {path}; keys below will change)", markup=False)
        return {**values, "gold": str(frozen.folder)}
    frozen = _freeze(path, gold_path, folder, values)
    return {**values, "gold": str(frozen.folder)}


def known_gold_of(data: Any) -> str | None:
    """The gold set that belongs to some data, shipped or frozen before; None where there is none yet."""
    name = str(data)
    if lookup.find("recipes", name):
        gold = Path("gold") / name.rpartition("/")[2]
        return str(gold) if any((root / gold / "card.yaml").is_file() for root in lookup.roots()) else None
    folder = Path("gold") / gold_name(as_path(name))
    return str(folder) if (folder / "card.yaml").is_file() else None


def gold_name(data: Path) -> str:
    """A folder name from a data file: its stem, with its folder's where the stem alone says nothing."""
    whole = data.resolve()
    stem = whole.stem if whole.is_file() else whole.name
    if whole.is_file() and stem.lower() in _ANY_NAME:
        stem = f"{whole.parent.name}-{stem}"
    return re.sub(r"[\W_]+", "-", stem.lower()).strip("-") or "own-data"


def new_project(name: str, values: dict[str, Any]) -> Path:
    """Writes <name>/recipes/loop/*.yaml, gold/ and a README around the user's data; refuses an existing folder."""
    folder = Path(name)
    keys = read_keys(f"new {name}", values, NewKeys)
    if folder.exists():
        raise SlmkitError(f"{folder} is there already", where=str(folder.absolute()), fix="choose another name")
    data = existing("data", keys.data).resolve()
    gold_path = existing("gold", keys.gold) if keys.gold else None
    frozen = _freeze(data, gold_path, folder / "gold" / gold_name(data), values)
    gold = frozen.folder.relative_to(folder) if frozen.folder.is_relative_to(folder) else frozen.folder.resolve()
    changes = {"data": _from(data, folder), "gold": gold.as_posix()}
    if keys.documents:
        changes["documents"] = _from(existing("documents", keys.documents).resolve(), folder)
    changes |= {key: values[key] for key in _READING_KEYS if key in values}
    for recipe in ("prepare", "train", "eval", "compare"):
        path = folder / "recipes" / "loop" / f"{recipe}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_rewritten(recipe, changes), encoding="utf-8")
    readme = _README.format(name=folder.name, data=changes["data"], gold=changes["gold"], count=len(frozen.examples))
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return folder


def _freeze(path: Path, gold: Path | None, folder: Path, values: dict[str, Any], *, is_told: bool = True) -> Any:
    from slmkit.gold.gold_set import freeze_on_first_sight

    reading = {key: values[key] for key in _READING_KEYS if key in values}

    def say(text: str) -> None:
        if is_told:
            console.print(f"  {text}", markup=False)

    return freeze_on_first_sight(path, folder=folder, gold=gold, on_note=say, **reading)


def _with_shipped_gold(values: dict[str, Any], recipe: str) -> dict[str, Any]:
    """data=world/skills: a shipped family of the micro-world, with its own gold set."""
    if "gold" in values:
        return values
    name = recipe.rpartition("/")[2]
    if not any((root / "gold" / name / "card.yaml").is_file() for root in lookup.roots()):
        raise SlmkitError(f"no gold set belongs to {recipe!r}", where="command line", fix="give gold=FOLDER")
    return {**values, "gold": f"gold/{name}"}


def _from(path: Path, folder: Path) -> str:
    """A path as seen from the project: relative when it lies inside or beside it, else absolute."""
    parent = folder.resolve().parent
    return f"../{path.relative_to(parent).as_posix()}" if path.is_relative_to(parent) else str(path)


def _rewritten(recipe: str, changes: dict[str, Any]) -> str:
    """A shipped loop recipe with its data and gold replaced, its other lines and comments kept."""
    from io import StringIO

    from ruamel.yaml import YAML

    path = lookup.find("recipes", f"loop/{recipe}")
    assert path is not None
    layer = read_yaml(path)
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 110
    loaded = yaml.load(path.read_text(encoding="utf-8"))
    known = {"prepare": ("data", "gold", "documents", *_READING_KEYS)}.get(recipe, ("gold",))
    for key, value in changes.items():
        if key in known and (recipe == "prepare" or key in layer.value["with"]):
            loaded["with"][key] = value
    loaded.pop("expect", None)  # the claim was made for the data it shipped with
    loaded.pop("breaks", None)
    buffer = StringIO()
    yaml.dump(loaded, buffer)
    return buffer.getvalue()


_README = """# {name}

Made by `slmkit new`. The data is `{data}`; `{gold}/` holds {count} questions frozen from it, which no training row
may repeat.

    slmkit loop                     # prepare, train, compare, verdict
    slmkit train num_train_epochs=5 # one value changed
    slmkit show loop/train          # every value and where it comes from

Edit `recipes/loop/*.yaml`; recipes and parts that are not here come from slmkit itself.
"""
