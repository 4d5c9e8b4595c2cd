"""The lineage of a run: its inputs down to the raw files, and the origin of each value."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from slmkit.recipe.dotted import leaves, origin_of
from slmkit.report.read_run import InputRecord, Row, RunFiles, read_run
from slmkit.report.render import cell


@dataclass(frozen=True)
class LineageNode:
    """An input of a run, the parameters it is used for, and its own inputs if it is a run."""

    parameters: list[str]
    name: str
    kind: str
    key: str | None
    path: str | None
    sha256: str | None
    href: str | None  # of the input run's report, relative to this run's folder
    inputs: list[LineageNode]
    is_repeated: bool = False  # its inputs are listed where it first appears


def lineage(run: RunFiles) -> list[LineageNode]:
    """The run's inputs, and recursively their inputs, down to the raw files.

    Input runs are looked up relative to this run, as runs/<name>/<key>, so the runs folder can be moved.
    """
    runs_dir = run.dir.absolute().joinpath(*[".."] * (len(Path(run.recipe.name).parts) + 1)).resolve()
    return _nodes(run, run.dir.resolve(), runs_dir, set())


def _nodes(run: RunFiles, from_dir: Path, runs_dir: Path, seen: set[tuple[str, str]]) -> list[LineageNode]:
    grouped: dict[tuple[str, str], list[InputRecord]] = {}
    for record in run.recipe.inputs:
        grouped.setdefault((record.name, record.key or record.sha256 or ""), []).append(record)
    nodes = []
    for identity, records in grouped.items():
        first = records[0]
        run_dir = runs_dir / first.name / (first.key or "")
        is_run = first.kind == "recipe" and first.key is not None and (run_dir / "recipe.json").is_file()
        is_repeated = is_run and identity in seen
        seen.add(identity)
        nodes.append(
            LineageNode(
                parameters=[record.parameter for record in records],
                name=first.name,
                kind=first.kind,
                key=first.key,
                path=first.path if first.path != first.name else None,
                sha256=first.sha256,
                href=quote(os.path.relpath(run_dir / "report.html", from_dir)) if is_run else None,
                inputs=_nodes(read_run(run_dir), from_dir, runs_dir, seen) if is_run and not is_repeated else [],
                is_repeated=is_repeated,
            )
        )
    return nodes


def values_and_origins(values: Row, origins: dict[str, str]) -> list[tuple[str, str, str]]:
    """Each leaf of the arguments with its origin: ("lora.r", "8", "recipes/loop/train.yaml:5")."""
    return [(path, cell(value), origin_of(path, origins)) for path, value in leaves(values)]
