"""slmkit sweep: searches keys of a recipe by a metric of its validation rows, each trial a run of that recipe.

The study is Optuna's, kept in runs/sweep/<recipe>/<key>/study.db: a killed sweep typed again goes on, its unfinished
trial from its own checkpoint. The draw of a trial hangs on the seed and on the trials before it alone, so a sweep that
was killed ends as one that was not.
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
from slmkit.cli.run_recipe import announce
from slmkit.cli.sweep.result import finish, print_result, record_search, table
from slmkit.cli.sweep.space import Choices, Range, Search, combinations, read_space, text, told
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import EXIT_DONE, FailedError, RefusedError, SlmkitError
from slmkit.recipe.load_recipe import load_recipe
from slmkit.recipe.lookup import suggest
from slmkit.report.read_run import read_rows
from slmkit.runs.execute import execute, preflight
from slmkit.runs.explain import locked
from slmkit.runs.plan import Plan, make_plan
from slmkit.runs.run import Run
from slmkit.runs.store import RUNS

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

_TRIALS_BEFORE_PRUNING = 4
_STUCK = 5  # draws in a row of what was tried already, after which draws are no longer guided
_MOST_AGAIN = 500  # after so many in a row it is run all the same
_STUDY = "study.db"


class _Pruned(FailedError):
    """A trial stopped early: it did worse than half of those before it had at the same point."""


def sweep(
    name: str,
    given: Mapping[str, Any],
    options: Options,
    *,
    num_trials: int,
    minimize: str | None,
    maximize: str | None,
) -> int:
    """Checks the whole space, then tries num_trials of it beside the recipe as it is; exit code 2 if that wins."""
    profile, seed = announce(options), options.seed
    if minimize and maximize:
        raise SlmkitError("two goals at once", where="--minimize, --maximize", fix="give one of them")
    space, fixed = read_space(load_recipe(name, profile=profile), given)
    if not space:
        fix = "learning_rate=1e-4..1e-2 is a range, lora.r=[4,8,16] a choice; or `sweep:` in the recipe"
        odd = next(
            (f"{key}={value}" for key, value in fixed.items() if isinstance(value, str) and ".." in value), None
        )
        what = f"{odd} is no range of two numbers" if odd else "nothing to search: every key has one value"
        raise SlmkitError(what, where=name, fix=fix)
    others = fixed | {key: dimension.ends[0] for key, dimension in space.items()}
    space = {key: _as_typed(name, key, dimension, others, profile) for key, dimension in space.items()}
    listed = combinations(space, seed=seed, most=num_trials)
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
        _try_all(search, study, listed, options)
        rows = table(search, _tried(study))
        result = finish(search, run, rows, as_written, round(time.monotonic() - started, 3))
    if options.as_json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        print_result(search, rows, result, folder)
    return int(result["exit_code"])


def _as_typed(
    name: str, key: str, dimension: Choices | Range, others: dict[str, Any], profile: str
) -> Choices | Range:
    """A range between whole numbers of a key that takes others too: 0..1 of a share is not 0 and 1."""
    if not isinstance(dimension, Range) or not dimension.is_whole:
        return dimension
    try:
        make_plan(name, given={**others, key: dimension.low + 0.5}, profile=profile)
    except SlmkitError:
        return dimension
    return Range(float(dimension.low), float(dimension.high))


def _check(search: Search) -> Plan:
    """Binds and checks a run for each choice and each end of a range, one key at a time; the first of them."""
    first = {key: dimension.ends[0] for key, dimension in search.space.items()}
    corner = search.plan(first)
    if corner.target.call.arguments.get("gold") is not None:
        raise RefusedError(
            f"{search.name!r} measures on gold, and choosing by gold spends it",
            where=f"stage {corner.target.call.recipe.stage!r}",
            fix="sweep the recipe that trains, by a metric of its validation rows",
        )
    for key, dimension in search.space.items():
        for value in dimension.ends:
            try:
                plan = search.plan({**first, key: value})
            except SlmkitError as error:
                fix = error.fix
                if isinstance(dimension, Choices) and "list" in fix:
                    fix += f"; in a sweep {key}=[[a, b]] is one list, [a, b] a choice"
                raise SlmkitError(error.what, where=f"{key}={text(value)}", fix=fix) from None
            preflight(plan, plan.to_run())
    return corner


def _key(search: Search, corner: Plan) -> str:
    """Hashes what decides the draws: space, goal, seed, and all that the runs' own keys hash."""
    space = {key: repr(dimension) for key, dimension in search.space.items()}
    asked = [corner.target.key, space, search.metric, search.maximize, search.seed]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def _run_as_written(search: Search, options: Options) -> float | None:
    """The metric without any searched key; None where the recipe cannot run without them, or measures no number."""
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
    """The study on disk; what a kill left running is put first in the queue again."""
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
        if "given" in trial.user_attrs:
            study.enqueue_trial(trial.params)
    return study


def _try_all(search: Search, study: Study, listed: list[dict[str, Any]] | None, options: Options) -> None:
    from optuna.samplers import RandomSampler, TPESampler
    from optuna.trial import TrialState

    while (number := len(_tried(study))) < search.num_trials:
        again = ["again" in trial.user_attrs for trial in study.trials]
        in_a_row = len(list(itertools.takewhile(bool, reversed(again))))
        seed, num_random = search.seed + number + sum(again), max(2, min(10, search.num_trials // 3))
        is_stuck = in_a_row >= _STUCK
        study.sampler = RandomSampler(seed) if is_stuck else TPESampler(seed=seed, n_startup_trials=num_random)
        if listed and not study.get_trials(states=(TrialState.WAITING,)):
            drawn = {key: dimension.param(listed[number][key]) for key, dimension in search.space.items()}
            study.enqueue_trial(drawn)
        trial = study.ask()
        values = {key: dimension.suggest(trial, key) for key, dimension in search.space.items()}
        if in_a_row < _MOST_AGAIN and values in [done.user_attrs.get("given") for done in _tried(study)]:
            trial.set_user_attr("again", True)  # it counts for nothing
            study.tell(trial, state=TrialState.FAIL)
            continue
        trial.set_user_attr("given", values)
        console.print(f"[bold]trial {number + 1} of {search.num_trials}[/]  {escape(told(values))}")
        _try_one(search, study, trial, values, options)


def _try_one(search: Search, study: Study, trial: Trial, values: dict[str, Any], options: Options) -> None:
    """Runs one trial and tells the study how it ended; an error of its own ends it, one from outside the sweep."""
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
        if isinstance(error.__context__, KeyboardInterrupt | OSError) or error.what.startswith("the run measured no"):
            raise
        _tell_failed(study, trial, error.what)
    except BrokenPipeError:
        raise
    except Exception as error:  # of the recipe's own code, which the values of this trial have brought out
        _tell_failed(study, trial, f"{type(error).__name__}: {error}")


def _tell_failed(study: Study, trial: Trial, why: str) -> None:
    from optuna.trial import TrialState

    console.print(f"  failed: {why}", style="yellow", markup=False)
    trial.set_user_attr("error", why)
    study.tell(trial, state=TrialState.FAIL)


def _pruner(search: Search, trial: Trial, folder: Path) -> Callable[[int, Mapping[str, float]], None]:
    """Hears of each line of the trial's log, and ends it by _Pruned where it does worse than most did there.

    Trials are compared at their n-th measurement rather than at a step: batch sizes may differ.
    """

    def on_log(step: int, values: Mapping[str, float]) -> None:
        if search.metric not in values:
            return
        measured = sum(search.metric in row for row in read_rows(folder / "log.jsonl"))
        trial.report(values[search.metric], measured - 1)
        if trial.should_prune():
            what = f"{search.metric} {values[search.metric]:.4g} at step {step}: worse than half of the trials there"
            raise _Pruned(f"stopped early, {what}", where=str(folder), fix="the recipe's own command goes on with it")

    return on_log


def _measured(search: Search, result: dict[str, Any]) -> float:
    metrics = result["metrics"]
    if search.metric not in metrics:
        fix = suggest(search.metric, metrics)
        raise SlmkitError(f"the run measured no {search.metric!r}", where=search.name, fix=fix)
    value = metrics[search.metric]
    number = float(value["value"] if isinstance(value, dict) else value)
    if not math.isfinite(number):
        raise FailedError(f"the run's {search.metric} is {number}", where=search.name, fix="other bounds")
    return number


def _tried(study: Study) -> list[FrozenTrial]:
    """The trials that count: those that ended by themselves, and not those that a kill ended."""
    return [t for t in study.trials if t.state.is_finished() and (t.state.name != "FAIL" or "error" in t.user_attrs)]


def _print_plan(search: Search, folder: Path, as_json: bool) -> int:
    """What would be tried, checked; nothing is run."""
    space = {key: str(dimension) for key, dimension in search.space.items()}
    goal = "maximize" if search.maximize else "minimize"
    if as_json:
        planned = {"recipe": search.name, "space": space, goal: search.metric, "trials": search.num_trials}
        print(json.dumps({**planned, "dir": str(folder)}, ensure_ascii=False))
        return EXIT_DONE
    for key, told_space in space.items():
        out.print(f"{key:<24} {told_space}", markup=False)
    out.print(f"{goal} {search.metric} in {search.num_trials} trials; {folder}", markup=False)
    return EXIT_DONE
