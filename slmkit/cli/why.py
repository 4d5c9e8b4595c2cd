"""slmkit why: where a number comes from, down to file hashes, and the command that reproduces it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from slmkit.cli.options import AsJson, RunName
from slmkit.console import print_rows
from slmkit.errors import SlmkitError
from slmkit.files import read_jsonl
from slmkit.recipe import lookup
from slmkit.runs.fingerprint import content_hash
from slmkit.runs.store import find_run, lineage, read_result

_DECODING = ("limit", "max_new_tokens", "temperature", "top_p", "decoding", "dtype", "load_in_4bit")


def why(
    run_name: RunName,
    metric: Annotated[
        str | None, typer.Argument(metavar="[METRIC]", help="One metric of the run.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Trace a number to its data, model, settings and command."""
    folder = find_run(run_name)
    result = read_result(folder)
    if result is None:
        fix = "run it again to finish it"
        raise SlmkitError("the run is not finished, so it has no metrics", where=str(folder), fix=fix)
    if metric is not None and metric not in result["metrics"]:
        fix = lookup.suggest(metric, result["metrics"])
        raise SlmkitError(f"the run has no metric {metric!r}", where=str(folder / "result.json"), fix=fix)
    tree = lineage(folder)
    answered = _answering_systems(folder, metric)
    if len(answered) == 1 and len(_answering_systems(folder, None)) > 1:  # a metric of one system of several
        tree = _of_system(tree, next(iter(answered)))
    provenance = {
        "value": {metric: result["metrics"][metric]} if metric else result["metrics"],
        "recipe": {"name": tree["name"], "stage": tree["stage"], "key": tree["key"], "profile": tree["profile"]},
        "seed": tree["seed"],
        "read": dict(_inputs(tree)),
        "trained": dict(_trained_models(tree)),
        "templates": dict(_chat_templates(tree)),
        "answered": answered,
        "settings": _decoding_settings(tree["with"]),
        "environment": result["environment"],
        "command": tree["command"],
    }
    if as_json:
        print(json.dumps(provenance, ensure_ascii=False))
        return
    rows: list[list[str | Text]] = [
        [Text(f"{key} {name}".strip(), "dim"), inner if isinstance(inner, str) else json.dumps(inner)]
        for key, value in provenance.items()
        for name, inner in (value.items() if isinstance(value, dict) else [("", value)])
    ]
    print_rows(rows)


def _runs(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A run and every run it was made from."""
    yield tree
    for row in tree["inputs"]:
        if "run" in row:
            yield from _runs(row["run"])


def _inputs(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every raw file, gold set and base model in the lineage, with its hash."""
    for run in _runs(tree):
        for row in run["inputs"]:
            if row["kind"] != "recipe":
                yield row["name"], f"sha256 {row['sha256']}" if row.get("sha256") else "from the hub"


def _trained_models(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every adapter or model trained in the lineage, with the hash of its files."""
    for run in _runs(tree):
        if (model := Path(run["dir"]) / "model").is_dir():
            yield run["name"], f"{run['key']}, sha256 {content_hash(model, sample=True)}"


def _chat_templates(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The chat template of each local model, with its hash."""
    for run in _runs(tree):
        folders = [Path(row["path"]) for row in run["inputs"] if row["kind"] == "model" and row.get("path")]
        for folder in [*folders, Path(run["dir"]) / "model"]:
            if (template := folder / "chat_template.jinja").is_file():
                name = run["name"] if folder.name == "model" else folder.name
                yield name, f"sha256 {hashlib.sha256(template.read_bytes()).hexdigest()}"


def _answering_systems(folder: Path, metric: str | None) -> dict[str, Any]:
    """What each system recorded while it answered: weights, template, backend, decoding, gold set, metric.

    Only the system that the metric is named after, if there is one: "RAG" and "RAG.macro_f1" are of RAG.
    """
    path = folder / "provenance.jsonl"
    rows = {row.pop("system"): row for row in (read_jsonl(path) if path.is_file() else [])}
    named = {name: row for name, row in rows.items() if metric is not None and f"{metric}.".startswith(f"{name}.")}
    return named or rows


def _of_system(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """The run without the inputs and settings of its other systems."""
    systems = tree["with"].get("systems") or {}
    others = tuple(f"systems.{other}." for other in systems if other != name)
    inputs = [row for row in tree["inputs"] if not str(row["parameter"]).startswith(others)]
    kept = {key: value for key, value in systems.items() if key == name}
    return {**tree, "inputs": inputs, "with": {**tree["with"], "systems": kept}}


def _decoding_settings(values: Any, prefix: str = "") -> dict[str, Any]:
    """How answers were decoded, by dotted key, for each system that sets it."""
    found: dict[str, Any] = {}
    for key, value in values.items() if isinstance(values, dict) else ():
        place = f"{prefix}.{key}" if prefix else key
        if key in _DECODING:
            found[place] = value
        found |= _decoding_settings(value, place)
    return found
