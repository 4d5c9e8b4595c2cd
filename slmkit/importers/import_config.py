"""Writes a recipe from another tool's training config, with the origin of each value and what was not carried over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slmkit.console import out
from slmkit.errors import SlmkitError
from slmkit.files import write_atomically
from slmkit.importers.translate import Translated, translate
from slmkit.recipe.lookup import suggest_file
from slmkit.recipe.yaml_lines import read_value, read_yaml
from slmkit.runs.plan import bind_one

_ORDER = ("data", "model", "adapter", "load_in_4bit", "lora", "learning_rate", "num_train_epochs", "max_steps")
_PREPARED = ("sft",)  # stages that read the output of `prepare`; the others read preference or prompt rows directly
_COMMENT_AT = 44  # the column in which comments start
_LOST = "not carried over, changes the trained model"
_DROPPED = "omitted, no effect on the trained model"


def import_config(file: str, *, recipe: str | None, stage: str | None, dry_run: bool, as_json: bool) -> None:
    """Writes recipes/<recipe>.yaml, for sft also the recipe that prepares its data, and prints what was omitted.

    dry_run: prints the same without writing; the recipes are then not checked.
    """
    path = Path(file)
    if not path.is_file():
        raise SlmkitError(f"no file {file!r}", where="command line", fix=suggest_file(file))
    name = _recipe_name(recipe or path.stem)
    target = Path("recipes") / f"{name}.yaml"
    data_target = target.with_name(f"{target.stem}-data.yaml")
    done = translate(read_yaml(path).value, folder=path.parent, stage=stage)
    written = {target: _recipe(done, path, f"{name}-data")}
    if done.stage in _PREPARED:
        written[data_target] = _prepare_recipe(done, path)
    for one in written:
        if one.exists():
            raise SlmkitError(f"{one} already exists", where=str(one), fix="choose another name: --out NAME")
    for one, content in () if dry_run else written.items():
        one.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(one, content)
    mistakes = [] if dry_run else _mistakes(done, written)
    if as_json:
        summary = {**_as_json(done, name, list(written)), "to_fix": mistakes, "dry_run": dry_run}
        print(json.dumps(summary, ensure_ascii=False))
        return
    _print(done)
    files = " and ".join(map(str, written))
    if dry_run:
        out.print(f"\nwould write {files}", markup=False)
        return
    out.print(f"\nwrote {files}", markup=False)
    seed = f" --seed {done.seed}" if done.seed is not None else ""
    for mistake in mistakes:
        out.print(f"fix   {mistake}", markup=False)
    out.print(f"next  slmkit run {name}{'' if _has_data(done) else ' data=FILE'}{seed}", markup=False)


def _mistakes(done: Translated, written: Iterable[Path]) -> list[str]:
    """Values of the other tool that the written recipes may not have."""
    if not _has_data(done):
        return []
    mistakes = []
    for path in written:
        try:
            bind_one(path.relative_to("recipes").with_suffix("").as_posix())
        except SlmkitError as error:
            mistakes.append(f"{error.where or path}: {error.what}")
    return mistakes


def _has_data(done: Translated) -> bool:
    return "data" in done.prepare or "data" in done.values


def _recipe_name(text: str) -> str:
    """ "my/qlora" of "my/qlora", "recipes/my/qlora.yaml" or "qlora.yml"."""
    path = Path(text)
    path = path.with_suffix("") if path.suffix in (".yaml", ".yml") else path
    parts = path.parts[1:] if path.parts[:1] == ("recipes",) else path.parts
    if path.is_absolute() or ".." in parts or not parts:
        raise SlmkitError(f"{text!r} is not a recipe name", where="--out", fix="use NAME for recipes/NAME.yaml")
    return "/".join(parts)


def _recipe(done: Translated, path: Path, data_recipe: str) -> str:
    """The recipe as YAML: each value with the key it comes from, and at the end what was not carried over."""
    values: dict[str, tuple[Any, str]] = dict(done.values)
    if done.stage in _PREPARED:
        values["data"] = (data_recipe, f"prepared by recipes/{data_recipe}.yaml")
    order = {key: i for i, key in enumerate(_ORDER)}
    values = dict(sorted(values.items(), key=lambda item: order.get(item[0].partition(".")[0], len(order))))
    lines = [f"title: Imported from the {done.tool} config {path.name}", _stage_line(done), "with:"]
    if "data" not in values:
        lines.append("  # data: set it to a folder with train.jsonl or a .jsonl file, or pass data=FILE")
    group = ""
    for key, (value, origin) in values.items():
        first, _, inner = key.partition(".")
        if inner and group != first:
            lines.append(f"  {first}:")
        group = first
        line = f"{'    ' + inner if inner else '  ' + first}: {_yaml(value)}"
        lines.append(f"{line:<{_COMMENT_AT}} # {origin}")
    if done.seed is not None:
        lines += ["", f"# The seed is a command-line option: --seed {done.seed}"]
    for heading, rows in ((_LOST, done.lost), (_DROPPED, done.dropped)):
        if rows:
            lines += ["", f"# {heading.capitalize()}:"]
            lines += [f"#   {key}{'' if value is None else f': {_yaml(value)}'}: {why}" for key, value, why in rows]
    return "\n".join(lines) + "\n"


def _stage_line(done: Translated) -> str:
    line = f"stage: {done.stage}"
    return f"{line:<{_COMMENT_AT}} # {', '.join(done.stage_from)}" if done.stage_from else line


def _prepare_recipe(done: Translated, path: Path) -> str:
    lines = [f"title: Prepare the data of {path.name}", "stage: prepare", "with:"]
    if "data" not in done.prepare:
        lines.append("  # data: set it to a .csv, .jsonl, .json or .parquet file or a folder, or pass data=FILE")
    lines += [
        f"{f'  {key}: {_yaml(value)}':<{_COMMENT_AT}} # {origin}" for key, (value, origin) in done.prepare.items()
    ]
    if not done.prepare:
        lines[-2:] = ["with: {}", lines[-1]]
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    """A value as one line of YAML: JSON, or a plain string if it needs no quotes."""
    is_plain = isinstance(value, str) and re.fullmatch(r"[\w./][\w./-]*", value) and read_value(value) == value
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def _as_json(done: Translated, name: str, written: list[Path]) -> dict[str, Any]:
    def rows(found: list[tuple[str, Any, str]]) -> list[dict[str, Any]]:
        return [{"key": key, "value": value, "reason": reason} for key, value, reason in found]

    values = {
        key: {"value": value, "from": origin} for key, (value, origin) in {**done.values, **done.prepare}.items()
    }
    names = {
        "recipe": name,
        "tool": done.tool,
        "stage": done.stage,
        "stage_from": done.stage_from,
        "files": [str(path) for path in written],
    }
    return {**names, "seed": done.seed, "carried": values, "lost": rows(done.lost), "dropped": rows(done.dropped)}


def _print(done: Translated) -> None:
    count = len(done.values) + len(done.prepare)
    out.print(f"{done.tool}, stage {done.stage}: {count} values carried over", markup=False)
    for heading, rows in ((_LOST, done.lost), (_DROPPED, done.dropped)):
        if rows:
            out.print(f"\n[bold]{heading}[/]")
        for key, value, reason in rows:
            setting = key if value is None else f"{key}: {_yaml(value)}"
            out.print(f"  {setting:<44} {reason}", markup=False)
