"""Runs a plan: pre-flight checks first, then each step in its folder, result.json last; what is done is found.

A kill at any moment leaves a folder without result.json, which the same command finishes. A lock keeps two writers
apart. A broken claim (`expect`) is reported with the run, which stays done: the measurement is not in doubt.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape

from slmkit.bind import parts_in, plain, resolved
from slmkit.console import console, to_terminal
from slmkit.curriculum import read_curriculum
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, FailedError, RefusedError, SlmkitError
from slmkit.keys import part_key
from slmkit.launch import Launch, check_launch, start
from slmkit.names import suggest
from slmkit.plan import Plan, Step
from slmkit.report import words, write_report
from slmkit.run import OnLog, Run, write_atomically, write_json
from slmkit.runs import ANSWERS, RUNS, clear_run, files_of, read_json, read_result
from slmkit.signature import grouped
from slmkit.types import Score

_PACKAGES = ("slmkit", "torch", "transformers", "datasets", "peft", "trl", "accelerate", "bitsandbytes", "evaluate")
_SESSIONS = ".sessions.json"  # how long the sessions of a run took that was killed and resumed
_AGAIN = "the same command resumes it"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass
class Outcome:
    """What a finished plan leaves: the folders, the target's result, and the exit code that says how it went."""

    plan: Plan
    result: dict[str, Any]
    ran: list[str] = field(default_factory=list)  # names of the steps that were run now, not found

    @property
    def dir(self) -> Path:
        return self.plan.target.dir

    @property
    def exit_code(self) -> int:
        verdict = self.result.get("verdict") or {"positive": True}
        holds = all(claim["ok"] for claim in self.result["expect"])
        return EXIT_DONE if verdict["positive"] and holds else EXIT_NEGATIVE


def execute(
    plan: Plan,
    *,
    force: bool = False,
    launch: Launch = Launch(),  # noqa: B008 - frozen
    verbose: bool = False,
    on_log: OnLog | None = None,
) -> Outcome:
    """Runs what is not done yet and returns the target's result; on_log hears of each line of the target's log.

    Raises: SlmkitError, RefusedError or FailedError with a message for the user; any other exception is our fault.
    """
    todo = plan.to_run(force=force)
    check_launch(plan.target, launch)
    preflight(plan, todo)
    ran = []
    for step in plan.steps:
        seconds = None
        if step in todo:
            if step is plan.target:
                seconds = _run_step(plan, step, launch, verbose, force=force, on_log=on_log)
            else:
                seconds = _run_step(plan, step, Launch(), verbose)
        if seconds is not None:
            ran.append(step.name)
            console.print(f"[green]✓[/] {escape(step.name)}  [dim]{seconds:,.1f} s, {escape(str(step.dir))}[/]")
        elif step.state == "done" and (step is plan.target or todo):
            console.print(f"[green]✓[/] {escape(step.name)}  [dim]found in {escape(str(step.dir))}[/]")
        if not plan.given:
            _tell_claims(step, is_target=step is plan.target)
    return Outcome(plan, _judged(plan), ran)


def assist(plan: Plan, launch: Launch, *, verbose: bool = False) -> None:
    """Runs this machine's processes of a step whose run another machine keeps; its inputs are made here too."""
    todo = plan.to_run()
    check_launch(plan.target, launch)
    preflight(plan, todo)
    for step in todo[:-1]:
        _run_step(plan, step, Launch(), verbose)
    start(plan, plan.target, launch, verbose=verbose)


def call_stage(plan: Plan, step: Step, run: Run) -> None:
    """Calls the stage with everything it reads resolved to paths, and each part with its key."""
    for place, part in parts_in(step.call.arguments):
        part.key = part_key(step.inputs, place, part, seed=plan.seed)
    values = resolved(step.call.arguments, lambda name: plan.step(name).dir)
    returned = step.call.function(run, **grouped(step.call.function, values))
    if returned is not None:
        run.note("what the stage returned is not kept: run.metric(name=value) and run.table(name, rows) keep things")


def preflight(plan: Plan, todo: list[Step]) -> None:
    """Calls the `check` beside each stage that has one; what is not made yet it sees as a path that is not there."""
    ready = {step.name: step.dir if step.state == "done" else step.dir / "not made yet" for step in plan.steps}
    for step in todo:
        check = getattr(sys.modules[step.call.function.__module__], "check", None)
        if check is not None:
            check(**grouped(step.call.function, resolved(step.call.arguments, ready.__getitem__)))


def _run_step(
    plan: Plan, step: Step, launch: Launch, verbose: bool, *, force: bool = False, on_log: OnLog | None = None
) -> float | None:
    """The seconds it took; None where another process finished the run before the lock was ours."""
    started = time.monotonic()
    with locked(step.dir), _explained(step):
        if step.state == "done" and not force:
            return None
        if force:
            clear_run(step.dir)
        resuming = read_json(step.dir / "recipe.json") is not None
        _begin_session(step.dir)
        (step.dir / "result.json").unlink(missing_ok=True)  # of a run that lost a file: until the end it is not done
        console.print(f"[bold]▸ {escape(step.name)}[/]{'  [dim]resuming[/]' if resuming else ''}")
        (step.dir / "error.txt").unlink(missing_ok=True)
        (step.dir / "notes.jsonl").unlink(missing_ok=True)
        if not resuming:
            write_json(step.dir / "recipe.json", _recipe_record(plan, step))
        run = Run(step.dir, seed=plan.seed, name=step.name, kept=RUNS / ANSWERS, asks_anew=force, on_log=on_log)
        if run.checkpoint is None:
            (step.dir / "log.jsonl").unlink(missing_ok=True)
        if launch.world_size > 1:
            start(plan, step, launch, verbose=verbose)
        else:
            _seed_everything(plan.seed)
            with contextlib.nullcontext() if verbose else _quiet():
                call_stage(plan, step, run)
            write_result(plan, step, run, time.monotonic() - started)
        write_report(step.dir)
    return time.monotonic() - started


def write_result(plan: Plan, step: Step, run: Run, seconds: float) -> None:
    """result.json: its presence means the run is done."""
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
            "expect": claims(step, metrics, lifted=bool(plan.given)),
            "expect_lifted": _lifted(plan, step),
            "seconds": round(_seconds_before(step.dir) + seconds, 3),
            "finished": now(),
            "environment": environment(),
            "files": files_of(step.dir),
        },
    )


def _begin_session(folder: Path) -> None:
    """Notes when this session starts, and how long those before it worked: each until the last file it wrote."""
    path, before = folder / _SESSIONS, 0.0
    if path.exists() and not (folder / "result.json").exists():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        written = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
        last_write = max(file.stat().st_mtime for file in written)
        before = earlier["seconds_before"] + max(0.0, last_write - earlier["started"])
    write_json(path, {"seconds_before": round(before, 3), "started": time.time()})


def _seconds_before(folder: Path) -> float:
    return float(json.loads((folder / _SESSIONS).read_text(encoding="utf-8"))["seconds_before"])


def claims(step: Step, metrics: dict[str, Any], *, lifted: bool) -> list[dict[str, Any]]:
    """Each expectation of the recipe against its metric, if measured; values from the command line lift them all."""
    rows = []
    for name, bounds in ({} if lifted else step.call.recipe.get("expect") or {}).items():
        if name not in metrics:
            continue
        value = metrics[name]["value"] if isinstance(metrics[name], dict) else metrics[name]
        low, high = bounds
        ok = (low is None or value >= low) and (high is None or value <= high)
        rows.append({"metric": name, "low": low, "high": high, "value": value, "ok": ok})
    return rows


def _tell_claims(step: Step, *, is_target: bool) -> None:
    """Refuses a claim on what the run did not measure, and says which claims of an input do not hold.

    Those of the target are told with its result. The run is done and stays so.
    """
    result = read_result(step.dir)
    if result is None:  # an input that is not needed
        return
    metrics = result["metrics"]
    for name in step.call.recipe.get("expect") or {}:
        if name not in metrics:
            where = step.call.recipe.layer.where(("expect", name))
            fix = suggest(name, metrics, f"its metrics are in {step.dir / 'result.json'}")
            raise SlmkitError(f"the run measured no {name!r}", where=where, fix=fix)
    for row in [] if is_target else claims(step, metrics, lifted=False):
        if not row["ok"]:
            bounds = words.bounds(row["low"], row["high"])
            told = f"✗ {step.name}: {row['metric']} is {words.number(row['value'])}, expected {bounds}"
            console.print(told, style="red", markup=False)


def environment() -> dict[str, str]:
    """Where a run was made: versions, machine, git commit. Recorded, never hashed."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "cpus": str(os.cpu_count())}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    torch = sys.modules.get("torch")
    found["device"] = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else "cpu"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
        found["git"] = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    return found


def _judged(plan: Plan) -> dict[str, Any]:
    """The target's result with the words and claims of the recipe as it reads now: they are not part of the key."""
    step = plan.target
    result = read_result(step.dir)
    assert result is not None, "a step that is done has a result"
    now = claims(step, result["metrics"], lifted=bool(plan.given))
    lifted = _lifted(plan, step)
    record = json.loads((step.dir / "recipe.json").read_text(encoding="utf-8"))
    is_new = (now, lifted) != (result["expect"], result["expect_lifted"])
    if is_new or any(record.get(key) != text for key, text in _prose(step).items()):
        result |= {"expect": now, "expect_lifted": lifted}
        write_json(step.dir / "result.json", result)
        write_json(step.dir / "recipe.json", record | _prose(step))
        write_report(step.dir)
    return result


def _lifted(plan: Plan, step: Step) -> bool:
    """Whether the recipe makes claims that values from the command line took back."""
    return bool(plan.given) and bool(step.call.recipe.get("expect"))


def _recipe_record(plan: Plan, step: Step) -> dict[str, Any]:
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
        "command": "slmkit " + shlex.join(sys.argv[1:]),
        "started": now(),
    }


def _prose(step: Step) -> dict[str, Any]:
    """What the recipe tells its reader: words that decide nothing, and so are no part of the key."""
    recipe = step.call.recipe
    told = {key: recipe.get(key) for key in ("title", "teaches", "source", "honest")}
    if recipe.get("lesson"):
        told |= {"lesson": recipe.get("lesson"), "breaks": recipe.get("breaks")}
        told["next_lesson"] = read_curriculum().next_after(step.name)
    return told


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the run's lock; a second writer is refused at once. A kill frees it."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        fix = "wait for it: then the same command finds its result"
        raise RefusedError("another slmkit process is writing this run", where=str(folder), fix=fix) from None
    except OSError as error:
        fix = "run in a folder you can write to" if error.errno not in _DISK_FULL else "free some disk space"
        raise RefusedError(f"cannot write the run: {error.strerror}", where=str(folder), fix=fix) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _explained(step: Step) -> Iterator[None]:
    """Turns what can go wrong outside our code into an error a person can act on; keeps the traceback of the rest."""
    try:
        yield
    except KeyboardInterrupt:
        raise FailedError("stopped by Ctrl-C", where=str(step.dir), fix=_AGAIN) from None
    except SystemExit as error:  # of the user's own stage: it is no end of ours
        raise FailedError(f"the stage ended the program: {error.code}", where=str(step.dir), fix=_AGAIN) from error
    except Exception as error:
        told = _told(error, step)
        text = f"{told}\n" if isinstance(told, SlmkitError) else traceback.format_exc()
        with contextlib.suppress(OSError):  # the disk may be the very thing that failed
            write_atomically(step.dir / "error.txt", text)
            write_report(step.dir)
        if told is error:
            raise
        raise told from error


def _told(error: Exception, step: Step) -> Exception:
    """The error as a user is told it: what is outside our code becomes a FailedError, the rest stays as it is."""
    full = isinstance(error, OSError) and error.errno in _DISK_FULL
    if full or "No space left on device" in str(error):
        return FailedError("the disk is full", where=str(step.dir), fix=f"free some space; {_AGAIN}")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        where = str(error.filename or step.dir)
        return FailedError(f"cannot write: {error.strerror}", where=where, fix=f"make it writable; {_AGAIN}")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        fix = "lower per_device_train_batch_size, batch_size or max_length, or use --profile gpu_8gb"
        return FailedError("out of memory", where=f"{step.name}, {step.dir}", fix=fix)
    return error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what libraries write to standard output and standard error out of sight; our console writes past it."""
    with to_terminal(), open(os.devnull, "w") as nowhere:  # noqa: SIM117 - the inner two need it
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def _seed_everything(seed: int) -> None:
    """Python's own generator; a stage seeds the libraries it uses from run.seed."""
    import random

    random.seed(seed)


def _plain_metric(value: float | Score) -> Any:
    if isinstance(value, Score):
        return {"value": value.value, "low": value.low, "high": value.high, "n": value.n}
    return float(value) if not isinstance(value, int) else value


def now() -> str:
    """The time as records keep it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
