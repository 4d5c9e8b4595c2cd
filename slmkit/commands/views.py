"""ls, show, check, schema and clean: commands that look at recipes, runs and parts, and run nothing."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.text import Text

from slmkit import names
from slmkit.bind import json_schema, plain
from slmkit.console import out, print_rows
from slmkit.curriculum import lesson_of
from slmkit.errors import EXIT_DONE, EXIT_MISTAKE, SlmkitError
from slmkit.plan import (
    ANSWERS,
    RUNS,
    bind_one,
    find_mistakes,
    find_run,
    lineage,
    make_plan,
    rank,
    read_result,
    remove_run,
)
from slmkit.recipe import KEYS, Place, Recipe, load_profile, load_recipe, read_yaml
from slmkit.signature import parameters

_PART_KINDS = ("stages", "lessons", "metrics", "retrievers", "systems")
_KINDS = ("recipes", *_PART_KINDS, "models", "profiles", "gold")


def listing(kind: str | None, *, as_json: bool) -> None:
    """Prints every name, or those of one kind, each with one line on what it is."""
    if kind is not None and kind not in _KINDS:
        raise SlmkitError(f"unknown kind {kind!r}", where="command line", fix=names.suggest(kind, _KINDS))
    found = {one: rows for one in ([kind] if kind else _KINDS) if (rows := _named(one))}
    if as_json:
        print(json.dumps({one: dict(rows) for one, rows in found.items()}, ensure_ascii=False))
        return
    for one, rows in found.items():
        named: list[list[str | Text]] = [[Text(name, "cyan"), about] for name, about in rows]
        print_rows([[Text(one, "bold")], *named])
        out.print()


def _named(kind: str) -> list[tuple[str, str]]:
    if kind in _PART_KINDS:
        return [(name, names.first_line(path, name)) for name, path in sorted(names.part_files(kind).items())]
    if kind == "gold":
        cards = {p.parent.name: p for root in names.roots()[::-1] for p in (root / "gold").glob("*/card.yaml")}
        return [(name, about(kind, card)) for name, card in sorted(cards.items())]
    folder = "recipes" if kind == "recipes" else f"configs/{kind}"
    return [(name, about(kind, path)) for name, path in names.named_files(folder).items()]


def about(kind: str, path: Path) -> str:
    """One line on a YAML file, from its `key: value` lines or first comment; it is not parsed, for speed."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    values = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith((" ", "-", "#")))
    if kind == "models":
        said = [values.get("hub_id", "embedded"), values.get("licence"), values.get("role")]
        return ", ".join(text for text in said if text)
    if kind == "gold":
        return f"{values.get('count')} examples, {values.get('kind')}"
    comment = next((line[2:] for line in lines if line.startswith("# ")), "")
    return values.get("title", comment).strip("'\"")


def show_name(name: str, values: dict[str, Any], *, profile: str, seed: int, as_json: bool) -> None:
    """Prints a recipe, a run, or a part, whichever the name stands for."""
    if names.find("recipes", name) or name.endswith((".yaml", ".yml")):
        _show_recipe(name, values, profile, seed, as_json)
        return
    for kind in _PART_KINDS:
        if name in names.part_files(kind):
            _show_part(kind, name, as_json)
            return
    try:
        folder = find_run(name)
    except SlmkitError:
        parts = [part for kind in _PART_KINDS for part in names.part_files(kind)]
        fix = names.suggest(name, [*names.names("recipes"), *parts])
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
    rows = [[place, _brief(value), _origin(call.origins, place)] for place, value in _flat(shown, "")]
    print_rows([_heading("key", "value", "from"), *rows])
    reads = [f"{place} <- {reference.name}" for place, reference in call.references() if reference.kind == "recipe"]
    if reads:
        out.print(f"\nreads {', '.join(reads)}", markup=False)


def _flat(value: Any, at: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [row for key, inner in value.items() for row in _flat(inner, f"{at}.{key}" if at else str(key))]
    return [(at, value)]


def _origin(origins: dict[str, str], place: str) -> str:
    while place:
        if place in origins:
            return origins[place]
        place = place.rpartition(".")[0]
    return ""


def _show_part(kind: str, name: str, as_json: bool) -> None:
    function = names.load_part(kind, name)
    if as_json:
        print(json.dumps(json_schema(function)))
        return
    out.print(f"[bold]{name}[/]  {kind}\n")
    out.print(inspect.getdoc(function) or "", markup=False)
    rows = [_heading("key", "type", "default")]
    for key, parameter in parameters(function).items():
        default = parameter.default
        shown = "(needed)" if default is inspect.Parameter.empty else getattr(default, "__name__", repr(default))
        rows.append([key, _type_name(function, key), shown])
    out.print()
    print_rows(rows)


def _type_name(function: Any, key: str) -> str:
    annotation = inspect.signature(function).parameters[key].annotation
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _show_run(folder: Path, as_json: bool) -> None:
    """A run's values and metrics, and its lineage down to the hash of each raw file."""
    tree = lineage(folder)
    if as_json:
        print(json.dumps(tree, ensure_ascii=False))
        return
    from slmkit.summary import summary

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


def check_recipes(wanted: list[str], *, profile: str, as_json: bool) -> int:
    """Binds recipes and prints the mistakes found; exit code 3 if there are any."""
    checked = wanted or names.names("recipes")
    profile, _ = load_profile(profile)
    mistakes = find_mistakes(checked, profile=profile)
    for name in checked:
        try:
            if name not in mistakes:
                recipe = load_recipe(name, profile=profile)
                lesson_of(recipe)
                _check_sweep(recipe)
        except SlmkitError as error:
            mistakes[name] = error
    mistakes |= _mistakes_of_profiles()
    if as_json:
        rows = [{"recipe": name, "what": e.what, "where": e.where, "fix": e.fix} for name, e in mistakes.items()]
        print(json.dumps({"checked": len(checked), "mistakes": rows}, ensure_ascii=False))
    else:
        for mistake in mistakes.values():
            out.print(f"{mistake}\n", markup=False)
        out.print(f"{len(checked)} recipes checked, {len(mistakes)} with mistakes")
    return EXIT_MISTAKE if mistakes else EXIT_DONE


def _check_sweep(recipe: Recipe) -> None:
    """Each key of `sweep:` is one of the recipe, or of one it reads, and takes the values that it may be given."""
    if not recipe.get("sweep"):
        return
    from slmkit.commands.search_space import read_space

    place: Place = ("sweep",)
    try:
        for key in recipe.get("sweep"):
            place = ("sweep", key)
            for inner, dimension in read_space({key: recipe.get("sweep")[key]}, {})[0].items():
                for end in dimension.ends:
                    make_plan(recipe.name, given={inner: end}, profile=recipe.profile)
    except SlmkitError as error:
        raise SlmkitError(error.what, where=recipe.layer.where(place), fix=error.fix) from None


def _mistakes_of_profiles() -> dict[str, SlmkitError]:
    """The first key of each profile that no stage or part takes. Signatures are read as text, which is quick."""
    paths = [*names.PACKAGE.rglob("*.py"), *Path().glob("*.py"), *Path().glob("*/*.py")]
    source = "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
    mistakes = {}
    for name, path in names.named_files("configs/profiles").items():
        layer = read_yaml(path)
        if key := next((key for key in layer.value if f" {key}: " not in source), None):
            fix = names.suggest(str(key), set(re.findall(r" (\w+): ", source)))
            what = f"no stage or part has a key {key!r}"
            mistakes[f"profile {name}"] = SlmkitError(what, where=layer.where((key,)), fix=fix)
    return mistakes


def recipe_schema(stage: str | None) -> dict[str, Any]:
    """The JSON schema of a recipe file; with every stage's `with`, chosen by `stage`."""
    if stage is not None:
        return json_schema(names.load_stage(stage))
    stages = [*names.part_files("stages"), *names.part_files("lessons")]
    texts: dict[str, Any] = {key: {"type": ["string", "null"]} for key in ("title", "teaches")}
    lines = {"type": ["string", "array", "null"], "items": {"type": "string"}}
    texts |= {"source": lines, "honest": lines}
    bounds = {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": ["number", "null"]}}
    properties = {
        **texts,
        "seeds": {"type": "array", "items": {"type": "string"}},
        "lesson": _LESSON_SCHEMA,
        "base": {"type": "string", "enum": names.names("configs/bases")},
        "stage": {"type": "string", "enum": stages},
        "with": {"type": ["object", "null"]},
        "sweep": {"type": "object"},
        "expect": {"type": "object", "additionalProperties": bounds},
        "breaks": {"type": "object", "properties": {"with": {"type": "object"}, "red": {"type": "array"}}},
        "profiles": {"type": "object", "propertyNames": {"enum": names.names("configs/profiles")}},
    }
    assert set(properties) == set(KEYS)
    chosen = [
        {
            "if": {"properties": {"stage": {"const": name}}, "required": ["stage"]},
            "then": {"properties": {"with": {"$ref": f"#/$defs/{name}"}}},
        }
        for name in stages
    ]
    definitions = {}
    for name in stages:
        whole = json_schema(names.load_stage(name))
        whole.pop("required", None)  # a base or a profile may give what the recipe does not
        definitions[name] = json.loads(json.dumps(whole).replace('"#/$defs/', f'"#/$defs/{name}/$defs/'))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "slmkit recipe",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "allOf": chosen,
        "$defs": definitions,
    }


_LINES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}
_LESSON_SCHEMA = {
    "type": "object",
    "properties": {
        "idea": {"type": "string"},
        "question": {"type": "string"},
        "explore": _LINES,
        "read": _LINES,
        "scores": {"type": "object", "additionalProperties": {"type": "array", "minItems": 5, "maxItems": 5}},
    },
    "required": ["idea", "question", "explore"],
    "additionalProperties": False,
}


def clean_runs(*, dry_run: bool, as_json: bool) -> None:
    """Deletes unfinished runs, and the finished ones that neither are a recipe's newest nor were read by one.

    With them go the answers kept for other runs.
    """
    by_recipe: dict[Path, list[Path]] = {}
    for record in RUNS.rglob("recipe.json"):
        by_recipe.setdefault(record.parent.parent, []).append(record.parent)
    kept: set[Path] = set()
    for folders in by_recipe.values():
        done = [f for f in folders if read_result(f) is not None]
        if done:
            kept |= _made_from(lineage(max(done, key=rank)))
    doomed = [f for folders in by_recipe.values() for f in folders if f not in kept and not _is_locked(f)]
    doomed.sort()
    answers = RUNS / ANSWERS
    size = sum(p.stat().st_size for f in (*doomed, answers) for p in f.rglob("*") if p.is_file())
    if not dry_run:
        shutil.rmtree(answers, ignore_errors=True)
        for folder in doomed:
            remove_run(folder)
            if not any(folder.parent.iterdir()):
                shutil.rmtree(folder.parent)
    if as_json:
        print(json.dumps({"removed": [str(f) for f in doomed], "bytes": size, "dry_run": dry_run}))
        return
    for folder in doomed:
        out.print(str(folder), markup=False)
    out.print(f"{len(doomed)} runs, {size / 1e6:,.1f} MB {'would be removed' if dry_run else 'removed'}")


def _made_from(tree: dict[str, Any]) -> set[Path]:
    """The folders of a run and of every run it was made from."""
    return {Path(tree["dir"])}.union(*(_made_from(row["run"]) for row in tree["inputs"] if "run" in row))


def _is_locked(folder: Path) -> bool:
    """Whether a process is writing the run now."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True


def _heading(*columns: str) -> list[str | Text]:
    return [Text(column, "dim") for column in columns]


def _brief(value: Any) -> str:
    """A value in one line."""
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)
