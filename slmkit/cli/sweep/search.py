"""Searches keys of a recipe for the best validation metric; each trial is a run of that recipe.

Optuna keeps the study in runs/sweep/<recipe>/<key>/study.db. Running a killed sweep again resumes it, and its
unfinished trial from that run's checkpoint. The values of a trial depend only on the seed and the trials before it, so
a resumed sweep ends like an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from slmkit.cli.options import Options
from slmkit.cli.run_recipe import print_profile
from slmkit.cli.sweep.result import finish, print_result, record_search, trial_rows
from slmkit.cli.sweep.space import Choices, Range, Search, assignments, combinations, read_space
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import EXIT_DONE, FailedError, RefusedError, SlmkitError
from slmkit.recipe.load_recipe import load_recipe
from slmkit.recipe.lookup import suggest
from slmkit.recipe.yaml_lines import write_value
from slmkit.report.read_run import read_rows
from slmkit.runs.execute import execute, preflight
from slmkit.runs.plan import Plan, make_plan
from slmkit.runs.run_folder import Run
from slmkit.runs.store import RUNS, locked

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

_TRIALS_BEFORE_PRUNING = 4
_REPEATS_BEFORE_RANDOM = 5  # repeated draws in a row, after which the sampler draws at random
_MAX_REPEATS = 500  # repeated draws in a row, after which a repeat is run again
_STUDY = "study.db"


class _Pruned(FailedError):
    """A trial stopped early because it did worse than the median of earlier trials at the same point."""


class _NoMetric(SlmkitError):
    """The recipe does not measure the metric of the sweep: every trial would fail."""


def run_sweep(
    name: str,
    values: Mapping[str, Any],
    options: Options,
    *,
    num_trials: int,
    minimize: str | None,
    maximize: str | None,
) -> int:
    """Checks the whole space, then runs the recipe as written and num_trials trials; exit code 2 if none is better."""
    profile, seed = print_profile(options), options.seed
    if minimize and maximize:
        raise SlmkitError("--minimize and --maximize are both given", where="command line", fix="use only one of them")
    space, fixed = read_space(load_recipe(name, profile=profile), values)
    if not space:
        raise _nothing_to_search(name, fixed)
    others = fixed | {key: dimension.ends[0] for key, dimension in space.items()}
    space = {key: _as_typed(name, key, dimension, others, profile) for key, dimension in space.items()}
    listed = combinations(space, seed=seed, num_trials=num_trials)
    num_trials = min(num_trials, len(listed)) if listed else num_trials
    metric = maximize or minimize or "validation_loss"
    search = Search(name, space, fixed, metric, bool(maximize), num_trials, profile, seed)
    corner = _check(search)
    folder = RUNS / "sweep" / corner.target.name / _key(search, corner)
    if options.dry_run:
        return _print_plan(search, folder, options.as_json)
    if not options.verbose:
        quiet_libraries()
    started = time.monotonic()
    with locked(folder):
        run = Run(folder, seed=seed)
        if options.force:
            for file in ("result.json", _STUDY):
                (folder / file).unlink(missing_ok=True)
        record_search(search, folder, [])
        as_written = _run_as_written(search, options)
        study = _open(search, folder)
        _run_trials(search, study, listed, options)
        rows = trial_rows(search, _finished(study))
        result = finish(search, run, rows, as_written, round(time.monotonic() - started, 3))
    if options.as_json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        print_result(search, rows, result, folder)
    return int(result["exit_code"])


def _nothing_to_search(name: str, fixed: Mapping[str, Any]) -> SlmkitError:
    fix = "pass a range (learning_rate=1e-4..1e-2) or a choice (lora.r=[4,8,16]), or add `sweep:` to the recipe"
    for key, value in fixed.items():
        if isinstance(value, str) and ".." in value:
            return SlmkitError(f"{key}={value} is not a range of two numbers", where="command line", fix=fix)
    return SlmkitError("there is nothing to search: every key has one value", where=name, fix=fix)


def _as_typed(
    name: str, key: str, dimension: Choices | Range, others: dict[str, Any], profile: str
) -> Choices | Range:
    """Turns a whole-number range into a real one if the key accepts fractions: 0..1 of a ratio is not 0 and 1."""
    if not isinstance(dimension, Range) or not dimension.is_integer:
        return dimension
    try:
        make_plan(name, overrides={**others, key: dimension.low + 0.5}, profile=profile)
    except SlmkitError:
        return dimension
    return Range(float(dimension.low), float(dimension.high))


def _check(search: Search) -> Plan:
    """Binds and checks a run for each choice and each end of a range, one key at a time; returns the first plan."""
    first = {key: dimension.ends[0] for key, dimension in search.space.items()}
    corner = search.plan(first)
    if corner.target.call.arguments.get("gold") is not None:
        raise RefusedError(
            f"{search.name!r} is scored on the gold set; tuning on it would inflate the scores",
            where=f"stage {corner.target.call.recipe.stage!r}",
            fix="sweep the recipe that trains, with a metric of its validation rows",
        )
    for key, dimension in search.space.items():
        for value in dimension.ends:
            try:
                plan = search.plan({**first, key: value})
            except SlmkitError as error:
                fix = error.fix
                if isinstance(dimension, Choices) and "list" in fix:
                    fix += f"; in a sweep, {key}=[[a, b]] is one list and {key}=[a, b] a choice"
                raise SlmkitError(error.what, where=f"{key}={write_value(value)}", fix=fix) from None
            preflight(plan, plan.to_run())
    return corner


def _key(search: Search, corner: Plan) -> str:
    """The sweep's key: a hash of the space, the metric, the seed, and the key of a run."""
    space = {key: repr(dimension) for key, dimension in search.space.items()}
    parts = [corner.target.key, space, search.metric, search.maximize, search.seed]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _run_as_written(search: Search, options: Options) -> float | None:
    """The metric with no searched key set; None if the recipe cannot run that way or the metric is not a number."""
    try:
        plan = search.plan({})
    except SlmkitError:
        return None
    console.print(f"[bold]as written[/]  {escape(search.name)}")
    result = execute(plan, force=options.force, verbose=options.verbose).result
    try:
        return _measured(search, result)
    except FailedError as error:
        console.print(f"  {error.what}", style="yellow", markup=False)
        return None


def _open(search: Search, folder: Path) -> Study:
    """The study on disk; a trial that a kill left running is queued again."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / _STUDY}",
        study_name=search.name,
        direction="maximize" if search.maximize else "minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_TRIALS_BEFORE_PRUNING, n_warmup_steps=1),
        load_if_exists=True,
    )
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if "values" in trial.user_attrs:
            study.enqueue_trial(trial.params)
    return study


def _run_trials(search: Search, study: Study, listed: list[dict[str, Any]] | None, options: Options) -> None:
    from optuna.samplers import RandomSampler, TPESampler
    from optuna.trial import TrialState

    while (number := len(_finished(study))) < search.num_trials:
        is_repeat = ["repeat" in trial.user_attrs for trial in study.trials]
        in_a_row = len(list(itertools.takewhile(bool, reversed(is_repeat))))
        seed, num_random = search.seed + number + sum(is_repeat), max(2, min(10, search.num_trials // 3))
        at_random = in_a_row >= _REPEATS_BEFORE_RANDOM
        study.sampler = RandomSampler(seed) if at_random else TPESampler(seed=seed, n_startup_trials=num_random)
        if listed and not study.get_trials(states=(TrialState.WAITING,)):
            drawn = {key: dimension.param(listed[number][key]) for key, dimension in search.space.items()}
            study.enqueue_trial(drawn)
        trial = study.ask()
        values = {key: dimension.suggest(trial, key) for key, dimension in search.space.items()}
        if in_a_row < _MAX_REPEATS and values in [done.user_attrs.get("values") for done in _finished(study)]:
            trial.set_user_attr("repeat", True)  # not counted as a trial
            study.tell(trial, state=TrialState.FAIL)
            continue
        trial.set_user_attr("values", values)
        console.print(f"[bold]trial {number + 1} of {search.num_trials}[/]  {escape(assignments(values))}")
        _run_trial(search, study, trial, values, options)


def _run_trial(search: Search, study: Study, trial: Trial, values: dict[str, Any], options: Options) -> None:
    """Runs one trial and reports it to the study; its errors end the trial, a full disk or Ctrl-C the sweep."""
    from optuna.trial import TrialState

    plan = search.plan(values)
    trial.set_user_attr("dir", str(plan.target.dir))
    try:
        on_log = _pruner(search, trial, plan.target.dir)
        outcome = execute(plan, force=options.force, verbose=options.verbose, on_log=on_log)
        study.tell(trial, _measured(search, outcome.result))
    except _Pruned as pruned:
        console.print(f"  {pruned.what}", style="dim", markup=False)
        study.tell(trial, state=TrialState.PRUNED)
    except SlmkitError as error:
        if isinstance(error.__context__, KeyboardInterrupt | OSError) or isinstance(error, _NoMetric):
            raise
        _record_failure(study, trial, error.what)
    except BrokenPipeError:
        raise
    except Exception as error:  # a bug in the recipe's own code that only these values reach
        _record_failure(study, trial, f"{type(error).__name__}: {error}")


def _record_failure(study: Study, trial: Trial, why: str) -> None:
    from optuna.trial import TrialState

    console.print(f"  failed: {why}", style="yellow", markup=False)
    trial.set_user_attr("error", why)
    study.tell(trial, state=TrialState.FAIL)


def _pruner(search: Search, trial: Trial, folder: Path) -> Callable[[int, Mapping[str, float]], None]:
    """A callback for each line of the trial's log, which raises _Pruned if the trial should stop early.

    Trials are compared at their n-th measurement, not at a step, because batch sizes may differ.
    """

    def on_log(step: int, values: Mapping[str, float]) -> None:
        if search.metric not in values:
            return
        measured = sum(search.metric in row for row in read_rows(folder / "log.jsonl"))
        trial.report(values[search.metric], measured - 1)
        if trial.should_prune():
            what = f"{search.metric} {values[search.metric]:.4g} at step {step} is worse than the median trial"
            raise _Pruned(f"stopped early: {what}", where=str(folder), fix="run its own command to finish it")

    return on_log


def _measured(search: Search, result: dict[str, Any]) -> float:
    metrics = result["metrics"]
    if search.metric not in metrics:
        fix = suggest(search.metric, metrics)
        raise _NoMetric(f"the run has no metric {search.metric!r}", where=search.name, fix=fix)
    value = metrics[search.metric]
    number = float(value["value"] if isinstance(value, dict) else value)
    if not math.isfinite(number):
        raise FailedError(
            f"{search.metric} is not finite: {number}", where=search.name, fix="change the values to search"
        )
    return number


def _finished(study: Study) -> list[FrozenTrial]:
    """The trials that count: finished, failed or stopped early, but not repeats and not those a kill ended."""
    return [t for t in study.trials if t.state.is_finished() and (t.state.name != "FAIL" or "error" in t.user_attrs)]


def _print_plan(search: Search, folder: Path, as_json: bool) -> int:
    """Prints the search space, which has been checked."""
    space = {key: str(dimension) for key, dimension in search.space.items()}
    goal = "maximize" if search.maximize else "minimize"
    if as_json:
        planned = {"recipe": search.name, "space": space, goal: search.metric, "trials": search.num_trials}
        print(json.dumps({**planned, "dir": str(folder)}, ensure_ascii=False))
        return EXIT_DONE
    for key, dimension in space.items():
        out.print(f"{key:<24} {dimension}", markup=False)
    out.print(f"{goal} {search.metric} in {search.num_trials} trials; {folder}", markup=False)
    return EXIT_DONE
