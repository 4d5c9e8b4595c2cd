"""Executes a plan: pre-flight checks first, then each step in its folder, result.json last; done steps are reused.

A kill at any moment leaves a folder without result.json, which the same command resumes. A lock keeps two writers
apart. A failed check of `expect` is reported, but the run stays done: its measurements are valid.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape

from slmkit.console import console, to_terminal
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, SlmkitError
from slmkit.files import write_json
from slmkit.models.memory import share_heap
from slmkit.recipe.call import parts_in, resolve
from slmkit.recipe.lookup import suggest
from slmkit.recipe.signature import call_arguments
from slmkit.report import formatting, write_report
from slmkit.runs.fingerprint import part_key
from slmkit.runs.launch import Launch, check_launch, launch_processes
from slmkit.runs.plan import Plan, Step
from slmkit.runs.readable_errors import readable_errors
from slmkit.runs.record import begin_session, check_claims, recipe_record, refresh_result, write_result
from slmkit.runs.run_folder import OnLog, Run
from slmkit.runs.store import ANSWERS, RUNS, clear_run, locked, read_json, read_result


@dataclass
class Outcome:
    """The result of an executed plan: its folders, the target's result, and the exit code."""

    plan: Plan
    result: dict[str, Any]
    ran: list[str] = field(default_factory=list)  # names of the steps that were executed, not reused

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
    """Runs the steps that are not done and returns the target's result; on_log gets each line of the target's log.

    Raises: SlmkitError, RefusedError or FailedError with a message for the user; any other exception is a bug.
    """
    todo = plan.to_run(force=force)
    if any(map(_trains, todo)) and not any(step.call.recipe.get("stage") == "prepare" for step in todo):
        share_heap()  # not where prepare runs: its threads, which tokenize, would wait for each other
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
            console.print(f"[green]✓[/] {escape(step.name)}  [dim]reused from {escape(str(step.dir))}[/]")
        if not plan.overrides:
            _report_claims(step, is_target=step is plan.target)
    return Outcome(plan, refresh_result(plan), ran)


def _trains(step: Step) -> bool:
    """Whether the stage trains a model with an optimizer."""
    return "training" in inspect.signature(step.call.function).parameters


def execute_as_worker(plan: Plan, launch: Launch, *, verbose: bool = False) -> None:
    """Runs this machine's processes of a step whose run is on the main machine; its inputs are made here too."""
    todo = plan.to_run()
    check_launch(plan.target, launch)
    preflight(plan, todo)
    for step in todo[:-1]:
        _run_step(plan, step, Launch(), verbose)
    launch_processes(plan, plan.target, launch, verbose=verbose)


def call_stage(plan: Plan, step: Step, run: Run) -> None:
    """Calls the stage with inputs and models resolved to paths, and sets the key of each part."""
    for key, part in parts_in(step.call.arguments):
        part.key = part_key(step.inputs, key, part, seed=plan.seed)
    values = resolve(step.call.arguments, lambda name: plan.step(name).dir)
    returned = step.call.function(run, **call_arguments(step.call.function, values))
    if returned is not None:
        run.note("the return value of the stage is discarded; use run.metric(name=value) or run.table(name, rows)")


def preflight(plan: Plan, todo: list[Step]) -> None:
    """Calls the `check` function of each stage that has one; inputs that are not made yet are nonexistent paths."""
    ready = {step.name: step.dir if step.state == "done" else step.dir / "not made yet" for step in plan.steps}
    for step in todo:
        check = getattr(sys.modules[step.call.function.__module__], "check", None)
        if check is not None:
            check(**call_arguments(step.call.function, resolve(step.call.arguments, ready.__getitem__)))


def _run_step(
    plan: Plan, step: Step, launch: Launch, verbose: bool, *, force: bool = False, on_log: OnLog | None = None
) -> float | None:
    """The seconds it took; None if another process finished the run while this one waited for the lock."""
    started = time.monotonic()
    with locked(step.dir), readable_errors(step):
        if step.state == "done" and not force:
            return None
        if force:
            clear_run(step.dir)
        _start_or_resume(plan, step)
        run = Run(
            step.dir, seed=plan.seed, name=step.name, answers_dir=RUNS / ANSWERS, refresh_answers=force, on_log=on_log
        )
        if run.checkpoint is None:
            (step.dir / "log.jsonl").unlink(missing_ok=True)
        if launch.world_size > 1:
            launch_processes(plan, step, launch, verbose=verbose)
        else:
            _seed_everything(plan.seed)
            with contextlib.nullcontext() if verbose else _quiet():
                call_stage(plan, step, run)
            write_result(plan, step, run, time.monotonic() - started)
        write_report(step.dir)
    return time.monotonic() - started


def _start_or_resume(plan: Plan, step: Step) -> None:
    """Writes recipe.json of a new run, or clears what a run must write again when it is resumed."""
    is_resumed = read_json(step.dir / "recipe.json") is not None
    begin_session(step.dir)
    (step.dir / "result.json").unlink(
        missing_ok=True
    )  # a finished run with a missing file counts as unfinished until this rerun completes
    console.print(f"[bold]▸ {escape(step.name)}[/]{'  [dim]resuming[/]' if is_resumed else ''}")
    (step.dir / "error.txt").unlink(missing_ok=True)
    (step.dir / "notes.jsonl").unlink(missing_ok=True)
    if not is_resumed:
        write_json(step.dir / "recipe.json", recipe_record(plan, step))


def _report_claims(step: Step, *, is_target: bool) -> None:
    """Refuses a check of a metric that the run did not measure, and prints the failed checks of an input.

    The target's checks are printed with its result. The run stays done in any case.
    """
    result = read_result(step.dir)
    if result is None:  # an unused input
        return
    metrics = result["metrics"]
    for name in step.call.recipe.get("expect") or {}:
        if name not in metrics:
            where = step.call.recipe.layer.where(("expect", name))
            fix = suggest(name, metrics, f"its metrics are in {step.dir / 'result.json'}")
            raise SlmkitError(f"the run has no metric {name!r}", where=where, fix=fix)
    for row in [] if is_target else check_claims(step, metrics, lifted=False):
        if not row["ok"]:
            bounds = formatting.bounds(row["low"], row["high"])
            message = f"✗ {step.name}: {row['metric']} is {formatting.number(row['value'])}, expected {bounds}"
            console.print(message, style="red", markup=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what libraries write to standard output and standard error; our console still prints."""
    with to_terminal(), open(os.devnull, "w") as nowhere:  # noqa: SIM117 - the inner two need it
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def _seed_everything(seed: int) -> None:
    """Seeds Python's generator; a stage seeds the libraries it uses from run.seed."""
    import random

    random.seed(seed)
