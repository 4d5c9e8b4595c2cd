"""What tests of the command line share: the checkout, a file of a test's project, and what a command left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.recipe.signature import call_arguments
from slmkit.types import Task

REPOSITORY = Path(__file__).parent.parent


@dataclass
class Finished:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def error_lines(self) -> list[str]:
        """The last lines from "error:" on: the message a user reads."""
        lines = self.err.strip().splitlines()
        start = max((i for i, line in enumerate(lines) if line.startswith("error: ")), default=len(lines))
        return lines[start:]


def call(stage: Callable[..., None], run: Any, **keys: Any) -> None:
    """Calls a stage with values for its keys, as a recipe would: call(sft, Run(folder), data=…, max_steps=1)."""
    stage(run, **call_arguments(stage, keys))


def build(system: Callable[..., Any], task: Task, **keys: Any) -> Any:
    """Builds a system with values for its keys, as a recipe would: build(rag, task, model=…, documents=…, top_k=2)."""
    return system(task, **call_arguments(system, keys))


def write(path: Path, text: str) -> Path:
    """Writes a file of a test's project, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a table or log of a run."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
