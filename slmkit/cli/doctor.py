"""slmkit doctor: compares this machine with what slmkit was tested with."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

from rich.markup import escape

from slmkit.cli.options import AsJson
from slmkit.console import out
from slmkit.cuda import cuda_is_available
from slmkit.errors import EXIT_DONE, EXIT_REFUSED
from slmkit.files import PACKAGE
from slmkit.recipe import lookup
from slmkit.recipe.yaml_lines import read_yaml

Row = tuple[str, str, str]  # check, "ok" | "note" | "bad", finding
_PACKAGES = (
    "torch", "transformers", "datasets", "peft", "trl", "accelerate", "bitsandbytes", "evaluate", "typer",
)  # fmt: skip


def doctor(as_json: AsJson = False) -> int:
    """Check this machine: versions, GPU, disk, bundled models.

    Exit code 4 if something slmkit needs is missing.
    """
    rows = [_python(), *_packages(), _gpu(), _disk(), *_bundled_models()]
    failed = [row for row in rows if row[1] == "bad"]
    if as_json:
        checks = [{"check": name, "state": state, "found": text} for name, state, text in rows]
        print(json.dumps({"checks": checks, "ok": not failed}))
    else:
        marks = {"ok": "[green]✓[/]", "note": "[yellow]·[/]", "bad": "[red]✗[/]"}
        for name, state, text in rows:
            out.print(f"{marks[state]} {escape(f'{name:<16} {text}')}")
        out.print(f"\n{len(failed)} problems" if failed else "\nready")
    return EXIT_REFUSED if failed else EXIT_DONE


def _python() -> Row:
    ok = sys.version_info >= (3, 11)
    return "python", "ok" if ok else "bad", platform.python_version() + ("" if ok else "; slmkit needs 3.11 or later")


def _packages() -> list[Row]:
    """Installed versions against configs/constraints.txt, the versions each release is tested with."""
    paths = [path for root in lookup.roots() if (path := root / "configs" / "constraints.txt").is_file()]
    tested = pinned(paths[0].read_text(encoding="utf-8")) if paths else {}
    rows: list[Row] = []
    for name in _PACKAGES:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            rows.append((name, "bad", f"not installed; tested with {tested.get(name)}"))
            continue
        if installed.partition("+")[0] == tested.get(name):
            rows.append((name, "ok", installed))
        else:
            rows.append((name, "note", f"{installed}; tested with {tested.get(name)}"))
    return rows


def pinned(constraints: str) -> dict[str, str]:
    """The version of each package in a constraints file: "typer==0.28.0 ; marker  # comment" -> 0.28.0."""
    pins = [re.split("[;#]", line)[0].partition("==") for line in constraints.splitlines()]
    return {name.strip(): version.strip() for name, equals, version in pins if equals}


def _gpu() -> Row:
    if cuda_is_available():
        return "gpu", "ok", "CUDA is available"
    return "gpu", "note", "no CUDA: the default profile is tiny"


def _disk() -> Row:
    free = shutil.disk_usage(Path.cwd()).free
    try:
        with tempfile.NamedTemporaryFile(dir=Path.cwd()):
            pass
    except OSError as error:
        return "disk", "bad", f"cannot write to the working directory: {error.strerror}"
    return "disk", "ok" if free > 5e9 else "note", f"{free / 1e9:,.0f} GB free in the working directory"


def _bundled_models() -> list[Row]:
    rows: list[Row] = []
    for name in lookup.names("configs/models"):
        card = lookup.find("configs/models", name)
        assert card is not None
        asset = read_yaml(card).value.get("asset")
        if asset:
            weights = PACKAGE / asset / "model.safetensors"
            found = f"{weights.stat().st_size / 1e6:.1f} MB" if weights.is_file() else "the weights are missing"
            rows.append((f"model {name}", "ok" if weights.is_file() else "bad", found))
    return rows
