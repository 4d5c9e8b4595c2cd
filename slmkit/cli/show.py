"""slmkit show: a recipe's values and where each comes from, what a part takes, a run and what it was made from."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.text import Text

from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.call import plain
from slmkit.recipe.dotted import leaves, origin_of
from slmkit.recipe.signature import parameters, written_types
from slmkit.recipe.validate import json_schema
from slmkit.runs.plan import bind_one, make_plan
from slmkit.runs.store import find_run, lineage


def show_name(name: str, values: dict[str, Any], *, profile: str, seed: int, as_json: bool) -> None:
    """Prints a recipe, a run, or a part, whichever the name stands for."""
    if lookup.find("recipes", name) or name.endswith((".yaml", ".yml")):
        _show_recipe(name, values, profile, seed, as_json)
        return
    if values:
        key, value = next(iter(values.items()))
        what, fix = f"{name!r} is no recipe, and takes no values here", "leave the values out"
        raise SlmkitError(what, where=f"command line: {key}={value}", fix=fix)
    for kind in lookup.PART_KINDS:
        if name in lookup.part_files(kind):
            _show_part(kind, name, as_json)
            return
    try:
        folder = find_run(name)
    except SlmkitError:
        parts = [part for kind in lookup.PART_KINDS for part in lookup.part_files(kind)]
        fix = lookup.suggest(name, [*lookup.names("recipes"), *parts])
        raise SlmkitError(f"no recipe, part or run {name!r}", fix=fix) from None
    _show_run(folder, as_json)


def _show_recipe(name: str, values: dict[str, Any], profile: str, seed: int, as_json: bool) -> None:
    if values:  # a key may belong to a recipe that this one reads
        plan = make_plan(name, given=values, profile=profile, seed=seed)
        call, profile = plan.target.call, plan.profile
    else:
        call, profile = bind_one(name, profile=profile)
    shown = plain(call.arguments)
    if as_json:
        told = {"name": call.name, "stage": call.recipe.stage, "with": shown, "origins": call.origins}
        print(json.dumps(told, ensure_ascii=False))
        return
    out.print(f"[bold]{escape(call.name)}[/]  {escape(call.recipe.get('title') or '')}")
    if teaches := call.recipe.get("teaches"):
        out.print(teaches, style="dim", markup=False)
    out.print(f"stage {call.recipe.stage}, profile {profile}\n", markup=False)
    rows = [[place, _brief(value), origin_of(place, call.origins)] for place, value in leaves(shown)]
    print_rows([_heading("key", "value", "from"), *rows])
    reads = [f"{place} <- {reference.name}" for place, reference in call.references() if reference.kind == "recipe"]
    if reads:
        out.print(f"\nreads {', '.join(reads)}", markup=False)


def _show_part(kind: str, name: str, as_json: bool) -> None:
    function = lookup.load_part(kind, name)
    if as_json:
        print(json.dumps(json_schema(function)))
        return
    taken = ", ".join(p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY)
    out.print(f"[bold]{name}[/]({taken})  {kind}\n")
    out.print(inspect.getdoc(function) or "", markup=False)
    rows = [_heading("key", "type", "default")]
    types = written_types(function)
    for key, parameter in parameters(function).items():
        default = parameter.default
        shown = "(needed)" if default is inspect.Parameter.empty else getattr(default, "__name__", repr(default))
        rows.append([key, types[key], shown])
    out.print()
    print_rows(rows)


def _show_run(folder: Path, as_json: bool) -> None:
    """A run's values and metrics, and its lineage down to the hash of each raw file."""
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
        if row["name"] in seen:  # an input read in several places is one input
            continue
        seen.add(row["name"])
        name = f"{indent}  {escape(row['name'])}"
        if "run" in row:
            _print_lineage(row["run"], depth + 1)
        elif row.get("sha256"):
            changed = "  [yellow]changed or gone since[/]" if not row["unchanged"] else ""
            out.print(f"{name}  [dim]sha256 {row['sha256']}[/]{changed}")
            if raw := row.get("frozen_from"):
                out.print(f"{indent}    {escape(str(raw['source']))}  [dim]sha256 {raw['sha256']} when frozen[/]")
        else:
            out.print(f"{name}  [dim]{row['kind']}{' (run removed)' if row['kind'] == 'recipe' else ''}[/]")


def _heading(*columns: str) -> list[str | Text]:
    return [Text(column, "dim") for column in columns]


def _brief(value: Any) -> str:
    """A value in one line."""
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)
