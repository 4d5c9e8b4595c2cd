"""slmkit new: a project folder around the user's own data, with recipes to edit."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.options import AsJson
from slmkit.console import console, out
from slmkit.errors import SlmkitError
from slmkit.gold.own_gold import READING_KEYS, FreezeKeys, freeze_file, gold_name
from slmkit.recipe import lookup
from slmkit.recipe.read_keys import existing_path, read_keys
from slmkit.recipe.yaml_lines import read_yaml


@dataclass(frozen=True, kw_only=True)
class NewKeys(FreezeKeys):
    """The keys of `slmkit new`."""

    documents: str | None = None


def new(
    name: Annotated[str, typer.Argument(metavar="FOLDER", help="Folder to create.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="data=FILE [KEY=VALUE]...",
            help="Your data, and any of gold=, documents=, text_column=, label_column=, encoding=.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a project around your own data, with recipes to edit."""
    _, values = parse([name, *(arguments or [])])
    console.quiet = as_json
    folder = new_project(name, values)
    if as_json:
        files = sorted(str(path) for path in folder.rglob("*") if path.is_file())
        print(json.dumps({"project": str(folder), "files": files}, ensure_ascii=False))
        return
    out.print(f"wrote {folder}/. Next: cd {shlex.quote(str(folder))} && slmkit loop", markup=False)


def new_project(name: str, values: dict[str, Any]) -> Path:
    """Writes <name>/recipes/loop/*.yaml, gold/ and a README around the user's data; refuses an existing folder."""
    folder = Path(name)
    keys = read_keys(f"new {name}", values, NewKeys)
    if folder.exists():
        raise SlmkitError(f"{folder} already exists", where=str(folder.absolute()), fix="choose another name")
    data = existing_path("data", keys.data).resolve()
    gold_path = existing_path("gold", keys.gold) if keys.gold else None
    frozen = freeze_file(data, gold_path, folder / "gold" / gold_name(data), values)
    gold = frozen.folder.relative_to(folder) if frozen.folder.is_relative_to(folder) else frozen.folder.resolve()
    changes = {"data": _relative(data, folder), "gold": gold.as_posix()}
    if keys.documents:
        changes["documents"] = _relative(existing_path("documents", keys.documents).resolve(), folder)
    changes |= {key: values[key] for key in READING_KEYS if key in values}
    for recipe in ("prepare", "train", "eval", "compare"):
        path = folder / "recipes" / "loop" / f"{recipe}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_rewrite(recipe, changes), encoding="utf-8")
    readme = _README.format(name=folder.name, data=changes["data"], gold=changes["gold"], count=len(frozen.examples))
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return folder


def _relative(path: Path, folder: Path) -> str:
    """A path as the project sees it: relative if it is inside the project or beside it, else absolute."""
    parent = folder.resolve().parent
    return f"../{path.relative_to(parent).as_posix()}" if path.is_relative_to(parent) else str(path)


def _rewrite(recipe: str, changes: dict[str, Any]) -> str:
    """A shipped loop recipe with its data and gold set replaced; other lines and comments are kept."""
    from io import StringIO

    from ruamel.yaml import YAML

    path = lookup.find("recipes", f"loop/{recipe}")
    assert path is not None
    layer = read_yaml(path)
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 110
    loaded = yaml.load(path.read_text(encoding="utf-8"))
    known = {"prepare": ("data", "gold", "documents", *READING_KEYS)}.get(recipe, ("gold",))
    for key, value in changes.items():
        if key in known and (recipe == "prepare" or key in layer.value["with"]):
            loaded["with"][key] = value
    loaded.pop("expect", None)  # these claims are about the shipped data
    loaded.pop("breaks", None)
    buffer = StringIO()
    yaml.dump(loaded, buffer)
    return buffer.getvalue()


_README = """# {name}

Created by `slmkit new`. The data is `{data}`. `{gold}/` holds {count} questions frozen from it; training rows that
repeat one of them are dropped.

    slmkit loop                     # prepare, train, compare, verdict
    slmkit train num_train_epochs=5 # one value changed
    slmkit show loop/train          # every value and where it comes from

Edit `recipes/loop/*.yaml`. Recipes and parts that are not in this folder come from slmkit.
"""
