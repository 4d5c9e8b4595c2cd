"""Writes the records of a run: recipe.json before it and result.json after it, with the checks of its claims."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from slmkit.files import write_json
from slmkit.recipe.call import plain
from slmkit.recipe.curriculum import read_curriculum
from slmkit.report import write_report
from slmkit.runs.plan import Plan, Step
from slmkit.runs.run_folder import Run
from slmkit.runs.store import file_sizes, read_result
from slmkit.types import Score

_PACKAGES = ("slmkit", "torch", "transformers", "datasets", "peft", "trl", "accelerate", "bitsandbytes", "evaluate")
_SESSIONS = ".sessions.json"  # duration of earlier sessions, for a run that was killed and resumed


def recipe_record(plan: Plan, step: Step) -> dict[str, Any]:
    """The content of recipe.json."""
    return {
        "name": step.name,
        "key": step.key,
        **_prose(step),
        "stage": step.call.recipe.stage,
        "profile": plan.profile,
        "seed": plan.seed,
        "broken": plan.breaks and step is plan.target,
        "with": plain(step.call.arguments),
        "origins": step.call.origins,
        "inputs": step.inputs,
        "command": plan.command or "slmkit " + shlex.join(sys.argv[1:]),
        "started": now(),
    }


def _prose(step: Step) -> dict[str, Any]:
    """The texts of the recipe; they do not affect the result, so they are not part of the key."""
    recipe = step.call.recipe
    prose = {key: recipe.get(key) for key in ("title", "teaches", "source", "honest")}
    if recipe.get("lesson"):
        prose |= {"lesson": recipe.get("lesson"), "breaks": recipe.get("breaks")}
        prose["next_lesson"] = read_curriculum().next_after(step.name)
    return prose


def begin_session(folder: Path) -> None:
    """Records the start of this session and the duration of earlier ones, each up to the last file it wrote."""
    path, before = folder / _SESSIONS, 0.0
    if path.exists() and not (folder / "result.json").exists():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        files = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
        last_write = max(file.stat().st_mtime for file in files)
        before = earlier["seconds_before"] + max(0.0, last_write - earlier["started"])
    write_json(path, {"seconds_before": round(before, 3), "started": time.time()})


def _seconds_before(folder: Path) -> float:
    return float(json.loads((folder / _SESSIONS).read_text(encoding="utf-8"))["seconds_before"])


def write_result(plan: Plan, step: Step, run: Run, seconds: float) -> None:
    """Writes result.json; its presence means the run is done."""
    verdict = None
    if run.verdict_text is not None:
        verdict = {"text": run.verdict_text, "positive": run.verdict_positive}
    metrics = {name: _plain_metric(value) for name, value in run.metrics.items()}
    write_json(
        step.dir / "result.json",
        {
            "status": "done",
            "metrics": metrics,
            "verdict": verdict,
            "expect": check_claims(step, metrics, lifted=bool(plan.overrides)),
            "expect_lifted": _lifted(plan, step),
            "seconds": round(_seconds_before(step.dir) + seconds, 3),
            "finished": now(),
            "environment": environment(),
            "files": file_sizes(step.dir),
        },
    )


def check_claims(step: Step, metrics: dict[str, Any], *, lifted: bool) -> list[dict[str, Any]]:
    """Each check of the recipe on a measured metric; none if `lifted`, because overrides change what it claims."""
    rows = []
    for name, bounds in ({} if lifted else step.call.recipe.get("expect") or {}).items():
        if name not in metrics:
            continue
        value = metrics[name]["value"] if isinstance(metrics[name], dict) else metrics[name]
        low, high = bounds
        ok = (low is None or value >= low) and (high is None or value <= high)
        rows.append({"metric": name, "low": low, "high": high, "value": value, "ok": ok})
    return rows


def refresh_result(plan: Plan) -> dict[str, Any]:
    """The target's result, updated to the recipe's current texts and checks, which are not part of its key."""
    step = plan.target
    result = read_result(step.dir)
    assert result is not None, "a step that is done has a result"
    checks = check_claims(step, result["metrics"], lifted=bool(plan.overrides))
    lifted = _lifted(plan, step)
    record = json.loads((step.dir / "recipe.json").read_text(encoding="utf-8"))
    is_new = (checks, lifted) != (result["expect"], result["expect_lifted"])
    if is_new or any(record.get(key) != text for key, text in _prose(step).items()):
        result |= {"expect": checks, "expect_lifted": lifted}
        write_json(step.dir / "result.json", result)
        write_json(step.dir / "recipe.json", record | _prose(step))
        write_report(step.dir)
    return result


def _lifted(plan: Plan, step: Step) -> bool:
    """Whether overrides suspend the checks of a recipe that has some."""
    return bool(plan.overrides) and bool(step.call.recipe.get("expect"))


def environment() -> dict[str, str]:
    """Versions, machine and git commit of a run. Recorded, never hashed."""
    found = dict(_versions_and_machine())
    torch = sys.modules.get("torch")
    found["device"] = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else "cpu"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
        found["git"] = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    return found


@cache
def _versions_and_machine() -> dict[str, str]:
    """What does not change while the process runs."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "cpus": str(os.cpu_count())}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _plain_metric(value: float | Score) -> Any:
    if isinstance(value, Score):
        return {"value": value.value, "low": value.low, "high": value.high, "n": value.n}
    return float(value) if not isinstance(value, int) else value


def now() -> str:
    """The current time as written in records."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
