"""slmkit show: the values of a recipe and their origins, the keys of a part, or a run and its lineage."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from slmkit.cli.arguments import parse
from slmkit.cli.options import AsJson, Profile, Seed
from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError, shown
from slmkit.recipe import lookup


def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Recipe, run (folder, key or recipe), stage, part or model.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Values to change in a recipe.", show_default=False),
    ] = None,
    profile: Profile = "auto",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Show a recipe and its values, the keys of a part, or a run.

    A recipe: every value and the file and line it comes from. A stage, metric, retriever or system, also one of your
    own (./mine.py:name): its keys, types and defaults. A model: its card. A run: its result, and its lineage down to
    the hash of each raw file.
    """
    _, values = parse([name, *(arguments or [])])
    if lookup.find("recipes", name) or name.endswith((".yaml", ".yml")):
        _show_recipe(name, values, profile, seed, as_json)
        return
    if values:
        key, value = next(iter(values.items()))
        what, fix = f"{name!r} is not a recipe, so it takes no values", f"remove {key}={value}"
        raise SlmkitError(what, where=f"command line: {key}={value}", fix=fix)
    for kind in lookup.PART_KINDS:
        if name in lookup.part_files(kind):
            _show_part(kind, name, lookup.load_part(kind, name), as_json)
            return
    if ".py:" in name:
        _show_part(name.rpartition(":")[0], name, lookup.load_part("metrics", name), as_json)
        return
    if card := lookup.find("configs/models", name):
        _show_card(name, card, as_json)
        return
    _show_run(_find_run(name), as_json)


def _find_run(name: str) -> Path:
    from slmkit.runs.store import find_run

    try:
        return find_run(name)
    except SlmkitError:
        parts = [part for kind in lookup.PART_KINDS for part in lookup.part_files(kind)]
        fix = lookup.suggest(name, [*lookup.names("recipes"), *parts, *lookup.names("configs/models")])
        raise SlmkitError(f"no recipe, part, model or run {name!r}", where="command line", fix=fix) from None


def _show_recipe(name: str, values: dict[str, Any], profile: str, seed: int, as_json: bool) -> None:
    from slmkit.recipe.call import plain
    from slmkit.recipe.dotted import leaves, origin_of
    from slmkit.runs.plan import bind_one, make_plan

    if values:  # a key may belong to a recipe that this one reads
        plan = make_plan(name, overrides=values, profile=profile, seed=seed)
        call, profile = plan.target.call, plan.profile
    else:
        call, profile = bind_one(name, profile=profile)
    arguments = plain(call.arguments)
    if as_json:
        summary = {"name": call.name, "stage": call.recipe.stage, "with": arguments, "origins": call.origins}
        print(json.dumps(summary, ensure_ascii=False))
        return
    out.print(f"[bold]{escape(call.name)}[/]  {escape(call.recipe.get('title') or '')}")
    if teaches := call.recipe.get("teaches"):
        out.print(teaches, style="dim", markup=False)
    out.print(f"stage {call.recipe.stage}, profile {profile}\n", markup=False)
    rows = [[place, _one_line(value), origin_of(place, call.origins)] for place, value in leaves(arguments)]
    print_rows([_heading("key", "value", "from"), *rows])
    reads = [f"{place} <- {reference.name}" for place, reference in call.references() if reference.kind == "recipe"]
    if reads:
        out.print(f"\nreads {', '.join(reads)}", markup=False)


def _show_card(name: str, file: Path, as_json: bool) -> None:
    """The values of a model card."""
    from slmkit.recipe.dotted import leaves
    from slmkit.recipe.yaml_lines import read_yaml

    values = read_yaml(file).value
    if as_json:
        print(json.dumps({"name": name, "file": str(file), "card": values}, ensure_ascii=False))
        return
    out.print(f"[bold]{escape(name)}[/]  a model: {shown(file)}\n")
    print_rows([_heading("key", "value"), *([key, _one_line(value)] for key, value in leaves(dict(values)))])


def _show_part(where: str, name: str, function: Callable[..., Any], as_json: bool) -> None:
    from slmkit.recipe.signature import parameters, type_names

    if as_json:
        from slmkit.recipe.validate import json_schema

        print(json.dumps(json_schema(function)))
        return
    every = inspect.signature(function).parameters.values()
    positional = ", ".join(parameter.name for parameter in every if parameter.kind is not parameter.KEYWORD_ONLY)
    out.print(f"[bold]{escape(function.__name__)}[/]({positional})  {escape(where)}\n")
    out.print(inspect.getdoc(function) or "", markup=False)
    rows = [_heading("key", "type", "default")]
    types = type_names(function)
    for key, parameter in parameters(function).items():
        default = parameter.default
        text = "(required)" if default is inspect.Parameter.empty else getattr(default, "__name__", repr(default))
        rows.append([key, types[key], text])
    if len(rows) > 1:
        out.print()
        print_rows(rows)


def _show_run(folder: Path, as_json: bool) -> None:
    """A run's verdict and metrics, and its lineage down to the hash of each raw file."""
    from slmkit.runs.store import lineage

    tree = lineage(folder)
    if as_json:
        print(json.dumps(tree, ensure_ascii=False))
        return
    from slmkit.cli.summary import summary

    out.print(summary(folder))
    out.print("\n[bold]lineage[/]")
    _print_lineage(tree, 0)


def _print_lineage(tree: dict[str, Any], depth: int) -> None:
    indent = "  " * depth
    unfinished = "" if tree["done"] else "  (unfinished)"
    out.print(f"{indent}{escape(tree['name'])}  [dim]{escape(tree['dir'])}[/]{unfinished}")
    seen: set[str] = set()
    for row in tree["inputs"]:
        if row["name"] in seen:  # one input, read by several parameters
            continue
        seen.add(row["name"])
        name = f"{indent}  {escape(row['name'])}"
        if "run" in row:
            _print_lineage(row["run"], depth + 1)
        elif row.get("sha256"):
            changed = "  [yellow]changed or removed since[/]" if not row["unchanged"] else ""
            out.print(f"{name}  [dim]sha256 {row['sha256']}[/]{changed}")
            if raw := row.get("frozen_from"):
                out.print(f"{indent}    {escape(str(raw['source']))}  [dim]sha256 {raw['sha256']} when frozen[/]")
        else:
            out.print(f"{name}  [dim]{row['kind']}{' (run removed)' if row['kind'] == 'recipe' else ''}[/]")


def _heading(*columns: str) -> list[str | Text]:
    return [Text(column, "dim") for column in columns]


def _one_line(value: Any) -> str:
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)
