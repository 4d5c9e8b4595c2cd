"""The command line: verbs that run recipes, and a few that look at them. Nothing heavy is imported at start-up.

slmkit loop data=my.csv            the whole loop on one file
slmkit train learning_rate=1e-4    recipes/loop/train.yaml with one value changed
slmkit run loop/compare --json     any recipe, the outcome as JSON on standard output
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import shlex
import sys
import traceback
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.models import CommandInfo

from slmkit import __version__
from slmkit.cli.arguments import parse
from slmkit.cli.gold import gold
from slmkit.cli.json_output import json_only
from slmkit.cli.options import AsJson, DryRun, Options, Processes, Profile, Seed, with_options
from slmkit.cli.run_recipe import run_recipe
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import EXIT_DONE, EXIT_FAILED, FailedError, SlmkitError, file_error
from slmkit.recipe.lookup import find

VERBS = {
    "train": "Train a model on prepared rows.",
    "eval": "Score one system on a gold set.",
    "compare": "Compare prompting, RAG and fine-tuning on one gold set.",
}

app = typer.Typer(
    help="Pick, prepare, train, evaluate and compare small language models, with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Given = Annotated[list[str] | None, typer.Argument(metavar="[RECIPE] [KEY=VALUE]...", help="A recipe, and values.")]


def main() -> None:
    """Runs the command line; a user's mistake prints three lines and ends with its exit code."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")  # it would read the metadata of every package: 25 ms
    as_json = "--json" in sys.argv[1:] and "--help" not in sys.argv[1:]
    if sys.argv[1:] in ([], ["gold"]):
        sys.argv.append("--help")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show ✓ shows ? instead of ending the run
    every_command, app.registered_commands = app.registered_commands, _needed()
    try:
        with json_only() if as_json else contextlib.nullcontext():
            code = _called(as_json)
    except BrokenPipeError:  # `slmkit ls | head`
        sys.stderr.close()
        code = EXIT_DONE
    except OSError as error:
        if error.filename is not None or error.errno not in _NO_OUTPUT:
            raise
        code = EXIT_FAILED
        _print_error(FailedError(f"cannot write the output: {error.strerror}", fix="write it elsewhere"), False)
    finally:
        app.registered_commands = every_command
    sys.exit(code)


_NO_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def _called(as_json: bool) -> int:
    """Calls the command and tells what a user can mend; returns the exit code."""
    told: SlmkitError | None
    try:
        return int(app(standalone_mode=False) or EXIT_DONE)
    except SlmkitError as error:
        told = error
    except TyperException as error:
        told = SlmkitError(error.format_message(), fix=_fix_of_words(error.format_message()))
    except (KeyboardInterrupt, typer.Abort):
        told = FailedError("stopped", fix="the same command goes on where this one stopped")
    except BrokenPipeError:
        raise
    except Exception as error:
        told = file_error(error) if isinstance(error, OSError) else None
        if told is None and not as_json:
            raise
        if told is None:
            traceback.print_exc()
            told = FailedError(f"{type(error).__name__}: {error}", fix="standard error holds the traceback")
    _print_error(told, as_json)
    return told.exit_code


def _fix_of_words(what: str) -> str:
    """What to type instead of words that typer refuses; keys of recipes are options in other tools."""
    fix = "`slmkit --help` lists the commands, `slmkit COMMAND --help` their options"
    option = re.match(r"No such option: --([a-z][\w-]*)$", what)
    if option and sys.argv[1] in (*VERBS, "loop", "pick", "prepare", "run", "sweep"):
        return f"a key of a recipe is given as {option[1].replace('-', '_')}=VALUE; {fix}"
    return fix


def _needed() -> list[CommandInfo]:
    """The command that is asked for, else all: typer prepares every one it is given, a tenth of the time of `ls`."""
    named = {info.name or getattr(info.callback, "__name__", ""): info for info in app.registered_commands}
    asked = named.get(sys.argv[1])
    return [asked] if asked else app.registered_commands


def _print_error(error: SlmkitError, as_json: bool) -> None:
    if as_json:
        told = {"what": error.what, "where": error.where, "fix": error.fix}
        print(json.dumps({"error": told, "exit_code": error.exit_code}, ensure_ascii=False))
    else:
        console.quiet = False
        console.print(str(error), markup=False, style="red" if console.is_terminal else None)


def _verb(name: str, about: str) -> None:
    """Adds the command of one stage of the loop: recipes/loop/<name>.yaml unless a recipe is named."""

    def command(given: Given = None, *, options: Options, processes: Processes) -> int:
        recipe, values = parse(given, default=f"loop/{name}")
        is_own = "data" in values and recipe == f"loop/{name}"  # gold of one's own, not that of the shipped task
        if is_own and name == "train" and ("gold" in values or find("recipes", str(values["data"]))):
            from slmkit.cli.own_data import known_gold_of

            values.setdefault("gold", known_gold_of(values["data"]))
            is_own = False
        return run_recipe(recipe, values, options, launch=processes.launch, freeze=is_own)

    app.command(name, help=about)(with_options(command))


for _name, _about in VERBS.items():
    if find("recipes", f"loop/{_name}"):
        _verb(_name, _about)


@app.command()
@with_options
def pick(
    given: Given = None,
    answer: Annotated[
        list[str] | None, typer.Option("--answer", metavar="KEY=VALUE", help="Answer a question beforehand.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the models that are on this machine.")] = False,
    *,
    options: Options,
) -> int:
    """Pick a base model by a checklist; in a terminal and without values it asks for the few it needs."""
    from slmkit.cli.gold_commands import find_gold
    from slmkit.cli.pick_questions import ask, is_asked, read_answers

    recipe, values = parse(given, default="loop/pick")
    answered = ask() if is_asked(given, answer, as_json=options.as_json) else read_answers(answer or [])
    for key in values.keys() & answered.keys():
        raise SlmkitError(f"{key} is given twice", where=f"--answer {key}", fix="give it once")
    values |= answered
    if measure:
        values["measure"] = True
    if values.get("measure") is True and "data" in values and "gold" not in values:
        from slmkit.cli.own_data import known_gold_of

        gold_known = known_gold_of(values["data"])
        if gold_known and (find_gold(gold_known) / "dev.jsonl").is_file():
            values["gold"] = gold_known
    return run_recipe(recipe, values, options)


@app.command()
@with_options
def prepare(
    given: Given = None,
    show_mask: Annotated[
        bool, typer.Option("--show-mask", help="Show a row token by token: what is read, what is learnt.")
    ] = False,
    *,
    options: Options,
) -> int:
    """Turn a data file into training rows."""
    recipe, values = parse(given, default="loop/prepare")
    if "data" in values and "gold" not in values and recipe == "loop/prepare":
        from slmkit.cli.own_data import known_gold_of

        values["gold"] = known_gold_of(values["data"])
    return run_recipe(recipe, values, options, show_mask=show_mask)


@app.command()
@with_options
def loop(
    given: Given = None,
    *,
    options: Options,
) -> int:
    """Run the whole loop on one task: prepare, train, compare, verdict. `data=FILE` runs it on your own."""
    recipe, values = parse(given, default="loop/compare")
    return run_recipe(recipe, values, options, freeze="data" in values)


@app.command()
@with_options
def run(
    given: Given = None,
    *,
    options: Options,
    processes: Processes,
    breaks: Annotated[
        bool, typer.Option("--break", help="Apply the recipe's breaks; its claim must turn red.")
    ] = False,
) -> int:
    """Run one recipe, and first the recipes it reads."""
    recipe, values = parse(given)
    return run_recipe(recipe, values, options, launch=processes.launch, breaks=breaks)


@app.command()
@with_options
def learn(
    given: Annotated[
        list[str] | None, typer.Argument(metavar="[LESSON] [KEY=VALUE]...", help="A lesson; the next one by default.")
    ] = None,
    *,
    options: Options,
) -> int:
    """Take a lesson: a question, a run that answers it, its claim checked, and where to go on."""
    from slmkit.cli.learn import find_lesson, take

    recipe, values = parse(given, default="")
    name = find_lesson(recipe)
    console.quiet = options.as_json
    if not options.verbose:
        quiet_libraries()
    return take(name, values, options)


@app.command()
@with_options
def sweep(
    given: Annotated[
        list[str] | None, typer.Argument(metavar="[RECIPE] [KEY=[A,B,C]] [KEY=LOW..HIGH] [KEY=VALUE]...")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="How many to try.")] = 20,
    minimize: Annotated[str | None, typer.Option("--minimize", help="A metric: validation_loss unless named.")] = None,
    maximize: Annotated[str | None, typer.Option("--maximize", help="A metric of which more is better.")] = None,
    *,
    options: Options,
) -> int:
    """Search keys of a recipe, each trial a run: `slmkit sweep loop/train learning_rate=1e-4..1e-2 lora.r=[4,8]`."""
    from slmkit.cli.sweep.search import sweep as search

    recipe, values = parse(given, default="loop/train")
    return search(recipe, values, options, num_trials=trials, minimize=minimize, maximize=maximize)


@app.command()
def ls(
    kind: Annotated[str | None, typer.Argument(help="recipes, stages, metrics, retrievers, systems, models …")] = None,
    as_json: AsJson = False,
    lessons: Annotated[bool, typer.Option("--lessons", help="List the lessons, and which you have read.")] = False,
    source: Annotated[str | None, typer.Option(help="Lessons: foundations, concepts or tutorial.")] = None,
    track: Annotated[str | None, typer.Option(help="Lessons: loop, text, transformer …")] = None,
    level: Annotated[str | None, typer.Option(help="Lessons: beginner, intermediate or advanced.")] = None,
    minutes: Annotated[int | None, typer.Option(min=1, help="Lessons: that take at most so long.")] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Lessons: as recipes/README.md.")] = False,
) -> None:
    """List recipes, stages, parts, models and profiles, or with --lessons what there is to learn."""
    if lessons or as_markdown or any(one is not None for one in (source, track, level, minutes)):
        from slmkit.cli.lesson_list import list_lessons

        list_lessons(
            source=source, track=track, level=level, minutes=minutes, as_json=as_json, as_markdown=as_markdown
        )
        return
    from slmkit.cli.ls import listing

    listing(kind, as_json=as_json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A recipe, a run (folder, key or name), a stage or a part.")],
    given: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    profile: Profile = "auto",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Show a recipe's values and their origins, a run's lineage down to raw files, or what a part takes."""
    from slmkit.cli.show import show_name

    _, values = parse([name, *(given or [])])
    show_name(name, values, profile=profile, seed=seed, as_json=as_json)


@app.command()
def why(
    run_name: Annotated[str, typer.Argument(metavar="RUN", help="A folder, a key, or a recipe's name.")],
    metric: Annotated[str | None, typer.Argument(help="One of its metrics; all unless one is named.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell where a number comes from: hashes, settings, versions, and the command that makes it again."""
    from slmkit.cli.why import why as tell

    tell(run_name, metric, as_json=as_json)


@app.command()
def check(
    recipes: Annotated[list[str] | None, typer.Argument(metavar="[RECIPE]...")] = None,
    profile: Profile = "auto",
    as_json: AsJson = False,
) -> int:
    """Bind recipes, all unless some are named, and run nothing."""
    from slmkit.cli.check import check_recipes

    return check_recipes(recipes or [], profile=profile, as_json=as_json)


@app.command()
def schema(
    stage: Annotated[str | None, typer.Argument(help="Only this stage.")] = None, as_json: AsJson = False
) -> None:
    """Print the JSON schema of recipes, so that an editor completes and checks them."""
    from slmkit.cli.schema import recipe_schema

    print(json.dumps(recipe_schema(stage), indent=None if as_json else 1))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The folder to make.")],
    given: Annotated[list[str] | None, typer.Argument(metavar="data=FILE [KEY=VALUE]...")] = None,
    as_json: AsJson = False,
) -> None:
    """Write an editable project on your own data: recipes/, gold/ and a README."""
    from slmkit.cli.own_data import new_project

    _, values = parse([name, *(given or [])])
    console.quiet = as_json
    folder = new_project(name, values)
    if as_json:
        files = sorted(str(path) for path in folder.rglob("*") if path.is_file())
        print(json.dumps({"project": str(folder), "files": files}, ensure_ascii=False))
        return
    out.print(f"wrote {folder}/. Next: cd {shlex.quote(str(folder))} && slmkit loop", markup=False)


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A training YAML of another tool.")],
    recipe: Annotated[str | None, typer.Option("--out", help="The recipe's name; the file's unless given.")] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="The method, where the file does not say it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be written, write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a YAML of LLaMA-Factory, axolotl, TRL or Unsloth into a recipe, and list what it could not carry."""
    from slmkit.importers.import_config import import_config

    import_config(file, recipe=recipe, stage=stage, dry_run=dry_run, as_json=as_json)


@app.command()
def report(
    run_name: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A folder, a key, or a recipe's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a run anew, or without a name the index of all runs."""
    from slmkit.report import write_index, write_report
    from slmkit.runs.store import RUNS, find_run

    if run_name is None and not RUNS.is_dir():
        raise SlmkitError(
            "there are no runs yet", where=str(RUNS.absolute()), fix="`slmkit loop` makes the first ones"
        )
    path = write_report(find_run(run_name)) if run_name else write_index(RUNS)
    out.print(json.dumps({"report": str(path)}) if as_json else str(path), markup=False)


app.add_typer(gold, name="gold")


@app.command()
def fit(
    model: Annotated[str, typer.Argument(help="A card of configs/models.")],
    context_length: Annotated[int, typer.Option(min=1, help="Tokens of a row.")] = 2048,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows at once.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Work out what of a model fits where: answering and training, on 8, 16, 24 and 80 GB."""
    from slmkit.cli.memory_table import fit as work_out

    work_out(model, context_length=context_length, batch_size=batch_size, as_json=as_json)


@app.command()
def doctor(as_json: AsJson = False) -> int:
    """Check this machine: versions against the tested ones, GPU, disk, embedded models."""
    from slmkit.cli.doctor import examine

    return examine(as_json=as_json)


@app.command()
def chat(
    model: Annotated[str, typer.Argument(help="A card, a hub id, a folder, or a recipe that trained one.")] = "nano",
    profile: Profile = "auto",
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 128,
) -> None:
    """Talk to a model in the terminal; an empty line or Ctrl-D ends it."""
    from slmkit.cli.chat import talk

    quiet_libraries()
    talk(model, profile=profile, max_new_tokens=max_new_tokens)


@app.command()
def clean(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove unfinished runs, and of each recipe all finished runs but the newest."""
    from slmkit.cli.clean import clean_runs

    clean_runs(dry_run=dry_run, as_json=as_json)


def _version(value: bool) -> None:
    if value:
        print(f"slmkit {__version__}")
        raise typer.Exit


@app.callback()
def _top(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    pass
