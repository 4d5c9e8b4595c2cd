"""Where a run comes from: its inputs down to the raw files, and each value with who set it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slmkit.report.read_run import InputRecord, Row, read_run
from slmkit.report.render import cell

_DEEPEST = 12  # runs below one another; more is a circle that someone made by hand


@dataclass(frozen=True)
class LineageNode:
    """An input of a run and, where that is a run too, its own inputs."""

    parameter: str
    name: str
    kind: str
    key: str | None
    path: str | None
    sha256: str | None
    href: str | None
    inputs: list[LineageNode]


def lineage(inputs: list[InputRecord], *, report_dir: Path, base: Path, depth: int) -> list[LineageNode]:
    """The inputs and, through the recipe.json of each run among them, theirs: down to the raw files."""
    nodes = []
    for item in inputs:
        run_dir = Path(item.dir) if item.dir else None
        if run_dir and not run_dir.is_absolute():
            run_dir = base / run_dir
        deeper: list[LineageNode] = []
        href = None
        if run_dir and (run_dir / "recipe.json").is_file() and depth < _DEEPEST:
            deeper = lineage(read_run(run_dir).recipe.inputs, report_dir=report_dir, base=run_dir, depth=depth + 1)
            href = quote(f"{os.path.relpath(run_dir, report_dir)}/report.html")
        nodes.append(LineageNode(item.parameter, item.name, item.kind, item.key, item.path, item.sha256, href, deeper))
    return nodes


def values_and_origins(values: Row, origins: dict[str, str]) -> list[tuple[str, str, str]]:
    """Each leaf of the resolved arguments with its origin: ("lora.r", "8", "recipes/loop/train.yaml:5")."""

    def leaves(prefix: str, value: Any) -> list[tuple[str, Any]]:
        if isinstance(value, dict) and value:
            return [leaf for key, item in value.items() for leaf in leaves(f"{prefix}.{key}" if prefix else key, item)]
        return [(prefix, value)]

    return [(key, cell(value), _origin(key, origins)) for key, value in leaves("", values)]


def _origin(key: str, origins: dict[str, str]) -> str:
    """The origin of the key, or of the nearest mapping above it that has one."""
    while key:
        if f"with.{key}" in origins:
            return origins[f"with.{key}"]
        key = key.rpartition(".")[0]
    return ""
