"""Runs one recipe for a command: prints the profile, the plan or the result, and returns the exit code."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.cli.options import Options
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, SlmkitError
from slmkit.runs.launch import Launch

if TYPE_CHECKING:
    from slmkit.runs.execute import Outcome
    from slmkit.runs.plan import Plan


def run_recipe(
    name: str,
    values: dict[str, Any],
    options: Options,
    *,
    launch: Launch = Launch(),  # noqa: B008 - frozen
    breaks: bool = False,
    show_mask: bool = False,
    with_own_gold: bool = False,
    stage: str | None = None,
) -> int:
    """Plans and runs a recipe, prints the result, and returns the exit code.

    with_own_gold: `data` gets its own gold set for any recipe, not only for those of the loop. stage: what the recipe
    must run.
    Raises: SlmkitError for a recipe of another stage, and any mistake in a recipe.
    """
    if stage:
        _check_stage(name, stage)
    from slmkit.cli.ask_gold import gold_or_ask
    from slmkit.gold.own_gold import DECIDE_GOLD, with_gold_folders
    from slmkit.runs.plan import make_plan

    profile, seed = print_profile(options), options.seed
    if breaks and values:
        key, value = next(iter(values.items()))
        what = "--break checks the recipe as written, so no value can be changed"
        raise SlmkitError(what, where=f"command line: {key}={value}", fix="remove --break or the values")
    values = with_gold_folders(values)
    if options.dry_run:
        with tempfile.TemporaryDirectory() as folder:
            found = gold_or_ask(name, values, always=with_own_gold, dry_run_folder=Path(folder))
            optional = () if found is values else DECIDE_GOLD
            plan = make_plan(name, overrides=found, profile=profile, seed=seed, breaks=breaks, optional=optional)
            _say_shipped_data(plan)
            return print_plan(plan, launch, options)
    found = gold_or_ask(name, values, always=with_own_gold)
    optional = () if found is values else DECIDE_GOLD
    plan = make_plan(name, overrides=found, profile=profile, seed=seed, breaks=breaks, optional=optional)
    _say_shipped_data(plan)
    if not options.verbose:
        quiet_libraries()
    from slmkit.runs.execute import execute, execute_as_worker

    if not launch.is_main_machine:
        execute_as_worker(plan, launch, verbose=options.verbose)
        console.print(f"[green]✓[/] machine {launch.machine_rank} is done; machine 0 has the result")
        return EXIT_DONE
    outcome = execute(plan, force=options.force, launch=launch, verbose=options.verbose)
    code = _judge_break(outcome) if breaks else outcome.exit_code
    if options.as_json:
        print(json.dumps(_as_json(outcome, code), ensure_ascii=False))
    else:
        _print_result(outcome.dir, show_mask=show_mask)
    return code


def _say_shipped_data(plan: Plan) -> None:
    """Prints which shipped data the loop reads, so that nobody takes them for the file they prepared before."""
    if "data" in plan.overrides or not any(step.name == "loop/prepare" for step in plan.steps):
        return
    data = plan.step("loop/prepare").call.recipe.get("with")["data"]
    if not str(data).startswith("world/"):
        return
    from slmkit.runs.store import RUNS, read_json

    earlier = sorted(RUNS.glob("loop/prepare/*/recipe.json"), key=lambda path: path.stat().st_mtime)
    used = [str(values.get("data")) for path in earlier if (values := (read_json(path) or {}).get("with"))]
    own = next((name for name in reversed(used) if not name.startswith("world/")), "FILE")
    console.print(f"  data {data}, which ships with slmkit; data={own} reads your own", markup=False)


def _check_stage(name: str, stage: str) -> None:
    """`slmkit eval loop/train` would train and evaluate nothing."""
    from slmkit.recipe.load_recipe import load_recipe

    recipe = load_recipe(name, profile="tiny")
    if recipe.stage != stage and ":" not in recipe.stage:
        fix = f"`slmkit run {name}` runs it; `slmkit {stage} system.model={name}` tests a model that it trained"
        what = f"{name} is not a recipe of the stage {stage!r}, but of {recipe.stage!r}"
        raise SlmkitError(what, where="command line", fix=fix if stage == "eval" else f"`slmkit run {name}` runs it")


def print_profile(options: Options) -> str:
    """The profile's name, with auto resolved; prints it with the seed, the first line a user sees."""
    from slmkit.recipe.load_recipe import load_profile

    console.quiet = options.as_json
    name = load_profile(options.profile)[0]
    reason = {"gpu": " (CUDA found)", "tiny": " (no CUDA)"}[name] if options.profile == "auto" else ""
    console.print(f"profile {name}{reason}, seed {options.seed}", markup=False)
    return name


def print_plan(plan: Plan, launch: Launch, options: Options) -> int:
    """Prints what would run, after the checks a run makes."""
    from slmkit.runs.execute import preflight
    from slmkit.runs.launch import check_launch

    check_launch(plan.target, launch)
    todo = plan.to_run(force=options.force)
    preflight(plan, todo)
    if options.as_json:
        rows = [{"name": s.name, "state": s.state, "run": s in todo, "dir": str(s.dir)} for s in plan.steps]
        print(json.dumps({"steps": rows}, ensure_ascii=False))
        return EXIT_DONE
    actions = {"new": "run", "unfinished": "resume", "done": "run again"}
    for step in plan.steps:
        action = actions[step.state] if step in todo else "reuse" if step.state == "done" else "skip"
        out.print(f"{action:<10} {step.name:<24} {step.dir}", markup=False)
    return EXIT_DONE


def _print_result(folder: Path, *, show_mask: bool) -> None:
    from slmkit.cli.summary import summary

    out.print()
    out.print(summary(folder))
    if show_mask:
        from slmkit.cli.show_mask import show_mask as print_mask

        print_mask(folder)


def _judge_break(outcome: Outcome) -> int:
    """With --break, success means that every check named in `breaks.red` fails."""
    must_fail = outcome.plan.target.call.recipe.get("breaks")["red"]
    ok = {row["metric"]: row["ok"] for row in outcome.result["expect"]}
    for name in must_fail:
        console.print(f"  {name}: {'still passes' if ok[name] else 'fails, as it should'}", markup=False)
    return EXIT_NEGATIVE if any(ok[name] for name in must_fail) else EXIT_DONE


def _as_json(outcome: Outcome, code: int) -> dict[str, Any]:
    target = outcome.plan.target
    names = {"recipe": target.name, "key": target.key, "dir": str(outcome.dir)}
    result = {key: outcome.result[key] for key in ("metrics", "verdict", "expect", "seconds")}
    report = str(outcome.dir / "report.html")
    return {**names, "report": report, **result, "ran": outcome.ran, "exit_code": code}
