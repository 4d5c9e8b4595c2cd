"""slmkit why: where one number comes from, down to the hashes, and the command that makes it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text

from slmkit.console import print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.runs.fingerprint import content_hash
from slmkit.runs.store import find_run, lineage, read_result

_DECODING = ("max_new_tokens", "temperature", "top_p", "decoding", "dtype", "load_in_4bit")


def why(run: str, metric: str | None, *, as_json: bool) -> None:
    """Prints the provenance of a run's metric, or of all of them."""
    folder = find_run(run)
    result = read_result(folder)
    if result is None:
        raise SlmkitError("the run is not finished: it has no numbers yet", where=str(folder), fix="run it again")
    if metric is not None and metric not in result["metrics"]:
        fix = lookup.suggest(metric, result["metrics"])
        raise SlmkitError(f"the run measured no {metric!r}", where=str(folder / "result.json"), fix=fix)
    tree = lineage(folder)
    told = {
        "value": {metric: result["metrics"][metric]} if metric else result["metrics"],
        "recipe": {"name": tree["name"], "stage": tree["stage"], "key": tree["key"], "profile": tree["profile"]},
        "seed": tree["seed"],
        "read": dict(_read(tree)),
        "trained": dict(_trained(tree)),
        "templates": dict(_templates(tree)),
        "answered": _answered(folder, metric),
        "settings": _settings(tree["with"]),
        "environment": result["environment"],
        "command": tree["command"],
    }
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    rows: list[list[str | Text]] = [
        [Text(f"{key} {name}".strip(), "dim"), inner if isinstance(inner, str) else json.dumps(inner)]
        for key, value in told.items()
        for name, inner in (value.items() if isinstance(value, dict) else [("", value)])
    ]
    print_rows(rows)


def _runs(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A run and every run it was made from."""
    yield tree
    for row in tree["inputs"]:
        if "run" in row:
            yield from _runs(row["run"])


def _read(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every raw file, gold set and base model in the lineage, with its hash."""
    for run in _runs(tree):
        for row in run["inputs"]:
            if row["kind"] != "recipe":
                yield row["name"], f"sha256 {row['sha256']}" if row.get("sha256") else "from the hub"


def _trained(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every adapter or model that a run of the lineage trained, with the hash of its files."""
    for run in _runs(tree):
        if (model := Path(run["dir"]) / "model").is_dir():
            yield run["name"], f"{run['key']}, sha256 {content_hash(model, sample=True)}"


def _templates(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The chat template of each model on this disk, with its hash."""
    for run in _runs(tree):
        folders = [Path(row["path"]) for row in run["inputs"] if row["kind"] == "model" and row.get("path")]
        for folder in [*folders, Path(run["dir"]) / "model"]:
            if (template := folder / "chat_template.jinja").is_file():
                name = run["name"] if folder.name == "model" else folder.name
                yield name, f"sha256 {hashlib.sha256(template.read_bytes()).hexdigest()}"


def _answered(folder: Path, metric: str | None) -> dict[str, Any]:
    """What each system said of itself as it answered: weights, template, backend, decoding; gold set and metric too.

    Of a metric that is an arm's name, that arm alone.
    """
    path = folder / "provenance.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = {row.pop("system"): row for row in map(json.loads, lines)}
    return {name: row for name, row in rows.items() if name == metric or metric not in rows}


def _settings(values: Any, at: str = "") -> dict[str, Any]:
    """How answers were decoded, for each system that says so."""
    found: dict[str, Any] = {}
    for key, value in values.items() if isinstance(values, dict) else ():
        place = f"{at}.{key}" if at else key
        if key in _DECODING:
            found[place] = value
        found |= _settings(value, place)
    return found
