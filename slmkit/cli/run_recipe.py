"""Running one recipe from the command line: what is said first, what would run, what came out, and the exit code."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from slmkit.cli.options import Options
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, SlmkitError
from slmkit.runs.launch import Launch


def run_recipe(
    name: str,
    values: dict[str, Any],
    options: Options,
    *,
    launch: Launch = Launch(),  # noqa: B008 - frozen
    breaks: bool = False,
    freeze: bool = False,
    show_mask: bool = False,
) -> int:
    """Plans, runs, prints what came out, and returns the exit code; freeze=True freezes gold of new data first."""
    from slmkit.cli.own_data import freeze_gold_of
    from slmkit.runs.plan import make_plan

    profile, seed = announce(options), options.seed
    if breaks and values:
        key, value = next(iter(values.items()))
        what = "--break judges the claim of the recipe as written, which values of the command line lift"
        raise SlmkitError(what, where=f"command line: {key}={value}", fix="leave the values out, or --break")
    if options.dry_run:
        with tempfile.TemporaryDirectory() as trial:
            values = freeze_gold_of(values, trial=Path(trial)) if freeze else values
            plan = make_plan(name, given=values, profile=profile, seed=seed, breaks=breaks)
            return print_plan(plan, launch, options)
    values = freeze_gold_of(values) if freeze else values
    plan = make_plan(name, given=values, profile=profile, seed=seed, breaks=breaks)
    if not options.verbose:
        quiet_libraries()
    from slmkit.runs.execute import assist, execute

    if not launch.holds_the_run:
        assist(plan, launch, verbose=options.verbose)
        console.print(f"[green]✓[/] machine {launch.machine_rank} has done its share; machine 0 keeps the run")
        return EXIT_DONE
    outcome = execute(plan, force=options.force, launch=launch, verbose=options.verbose)
    code = _judge_break(outcome) if breaks else outcome.exit_code
    if options.as_json:
        print(json.dumps(_as_json(outcome, code), ensure_ascii=False))
    else:
        from slmkit.cli.summary import summary

        out.print()
        out.print(summary(outcome.dir))
        if show_mask:
            from slmkit.cli.show_mask import show_mask as show_it

            show_it(outcome.dir)
    return code


def announce(options: Options) -> str:
    """The profile's name with auto resolved; says it as the first line a user sees."""
    from slmkit.recipe.load_recipe import load_profile

    console.quiet = options.as_json
    name = load_profile(options.profile)[0]
    why = {"gpu": " (CUDA is here)", "tiny": " (no CUDA here)"}[name] if options.profile == "auto" else ""
    console.print(f"profile {name}{why}, seed {options.seed}", markup=False)
    return name


def print_plan(plan: Any, launch: Launch, options: Options) -> int:
    """Prints what would run, after the same pre-flight checks."""
    from slmkit.runs.execute import preflight
    from slmkit.runs.launch import check_launch

    check_launch(plan.target, launch)
    todo = plan.to_run(force=options.force)
    preflight(plan, todo)
    rows = [{"name": s.name, "state": s.state, "run": s in todo, "dir": str(s.dir)} for s in plan.steps]
    if options.as_json:
        print(json.dumps({"steps": rows}, ensure_ascii=False))
        return EXIT_DONE
    words = {"new": "run", "unfinished": "resume", "done": "run again"}
    for row in rows:
        word = words[row["state"]] if row["run"] else "found" if row["state"] == "done" else "not needed"
        out.print(f"{word:<10} {row['name']:<24} {row['dir']}", markup=False)
    return EXIT_DONE


def _judge_break(outcome: Any) -> int:
    """With --break a recipe succeeds only if every expectation that `breaks.red` names turned red."""
    red = outcome.plan.target.call.recipe.get("breaks")["red"]
    ok = {row["metric"]: row["ok"] for row in outcome.result["expect"]}
    green = [name for name in red if ok[name]]
    for name in red:
        console.print(f"  {name}: {'still green' if name in green else 'red, as it should be'}", markup=False)
    return EXIT_NEGATIVE if green else EXIT_DONE


def _as_json(outcome: Any, code: int) -> dict[str, Any]:
    kept = {key: outcome.result[key] for key in ("metrics", "verdict", "expect", "seconds")}
    target = outcome.plan.target
    told = {
        "recipe": target.name,
        "key": target.key,
        "dir": str(outcome.dir),
        "report": str(outcome.dir / "report.html"),
    }
    return {**told, **kept, "ran": outcome.ran, "exit_code": code}
