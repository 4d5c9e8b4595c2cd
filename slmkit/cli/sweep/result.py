"""The result of a sweep: the table of trials, one chart per key, the report, and the command of the best trial."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from rich.text import Text

from slmkit import charts
from slmkit.cli.summary import summary
from slmkit.cli.sweep.space import Search, assignments
from slmkit.console import out, print_rows
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, FailedError
from slmkit.files import write_json
from slmkit.recipe.yaml_lines import write_value
from slmkit.report import write_report
from slmkit.runs.plan import Plan
from slmkit.runs.record import environment, now
from slmkit.runs.run_folder import Run
from slmkit.runs.store import RUNS, file_sizes

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.trial import FrozenTrial

_MAX_PRINTED = 20  # trials in the terminal; the report lists all


def trial_rows(search: Search, trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    """One row per trial: the best first, then the failed ones, then those stopped early."""
    ends = {"COMPLETE": "done", "PRUNED": "stopped early", "FAIL": "failed"}
    rows = []
    for number, trial in enumerate(trials, start=1):
        value = trial.value if trial.state.name == "COMPLETE" else None
        row = {"trial": number, **trial.user_attrs["values"], search.metric: value, "ended": ends[trial.state.name]}
        rows.append({**row, "dir": trial.user_attrs["dir"], "why": trial.user_attrs.get("error", "")})
    sign = -1 if search.maximize else 1
    return sorted(rows, key=lambda row: (row["ended"], sign * (row[search.metric] or 0), row["trial"]))


def finish(
    search: Search, run: Run, rows: list[dict[str, Any]], as_written: float | None, seconds: float
) -> dict[str, Any]:
    """Writes the table, the charts, result.json and the report; returns what --json prints."""
    best = rows[0]
    if best["ended"] != "done":
        why = next((row["why"] for row in rows if row["why"]), "all were stopped early")
        what, fix = f"none of {len(rows)} trials finished: {why}", "change the values to search"
        raise FailedError(what, where=str(run.dir), fix=fix)
    values, value = {key: best[key] for key in search.space}, best[search.metric]
    wins = as_written is None or (value > as_written if search.maximize else value < as_written)
    scores = f"{search.metric} {value:.4g}" + ("" if as_written is None else f", as written {as_written:.4g}")
    verdict = f"The best of {len(rows)} trials is {assignments(values)}: {scores}."
    if not wins:
        verdict = f"None of {len(rows)} trials beats the recipe as written: {scores}."
    _write_tables(search, run, rows)
    runs = [("best", search.plan(values))]
    metrics = {search.metric: value}
    if as_written is not None:
        runs.append(("as_written", search.plan({})))
        metrics[f"{search.metric}_as_written"] = as_written
    metrics |= {"trials": len(rows), "stopped_early": _count(rows, "stopped early"), "failed": _count(rows, "failed")}
    record_search(search, run.dir, runs)
    outcome = {"metrics": metrics, "verdict": {"text": verdict, "positive": wins}, "expect": [], "seconds": seconds}
    record = {"status": "done", **outcome, "expect_lifted": False, "finished": now(), "environment": environment()}
    write_json(run.dir / "result.json", {**record, "files": file_sizes(run.dir)})
    report = write_report(run.dir)
    best_run = {"values": values, search.metric: value, "dir": best["dir"], "command": search.command(values)}
    names = {"recipe": search.name, "dir": str(run.dir), "report": str(report)}
    return {**names, **outcome, "best": best_run, "trials": rows, "exit_code": EXIT_DONE if wins else EXIT_NEGATIVE}


def _write_tables(search: Search, run: Run, rows: list[dict[str, Any]]) -> None:
    run.table("trials", [{**row, "command": search.command({k: row[k] for k in search.space})} for row in rows])
    for key in search.space:
        points = [(row[key], row[search.metric]) for row in rows if row["ended"] == "done"]
        run.figure(f"by_{key.replace('.', '_')}", charts.metric_by_value(points, key=key, metric=search.metric))


def _count(rows: list[dict[str, Any]], ended: str) -> int:
    return sum(row["ended"] == ended for row in rows)


def record_search(search: Search, folder: Path, runs: list[tuple[str, Plan]]) -> None:
    """Writes recipe.json: the search space, and the runs that the result names."""
    space = {key: str(dimension) for key, dimension in search.space.items()}
    goal = {"maximize" if search.maximize else "minimize": search.metric, "trials": search.num_trials}
    inputs = [
        {"parameter": role, "name": search.name, "kind": "recipe", "key": plan.target.key, "dir": str(plan.target.dir)}
        for role, plan in runs
    ]
    record: dict[str, Any] = {
        "name": folder.parent.relative_to(RUNS).as_posix(),
        "key": folder.name,
        "title": f"Sweep of {search.name}",
    }
    record |= {"stage": "sweep", "profile": search.profile, "seed": search.seed}
    record |= {"with": {**space, **search.fixed, **goal}, "origins": {}, "inputs": inputs}
    command = "slmkit " + shlex.join(sys.argv[1:])
    write_json(folder / "recipe.json", {**record, "command": command, "started": now()})


def print_result(search: Search, rows: list[dict[str, Any]], result: dict[str, Any], folder: Path) -> None:
    columns = ("trial", *search.space, search.metric, "")
    lines: list[list[str | Text]] = [[Text(column, "dim") for column in columns]]
    for row in rows[:_MAX_PRINTED]:
        value = "" if row[search.metric] is None else f"{row[search.metric]:.4g}"
        ended = "" if row["ended"] == "done" else f"{row['ended']} {row['why']}".strip()
        lines.append([str(row["trial"]), *(write_value(row[key]) for key in search.space), value, ended])
    out.print()
    print_rows(lines, right={0, len(columns) - 2})
    out.print()
    out.print(summary(folder))
    out.print(f"\nbest    {result['best']['command']}", markup=False)
    out.print(
        "It was chosen on validation rows, so its score is optimistic: evaluate it on the gold set.", style="dim"
    )
