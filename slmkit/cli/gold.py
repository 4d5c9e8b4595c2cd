"""slmkit gold: checks, labels, extends, freezes and compares gold sets."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.options import AsJson
from slmkit.console import console, out
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, EXIT_REFUSED, SlmkitError, counted, shown
from slmkit.gold.own_gold import FreezeKeys, find_gold, freeze_gold_of, is_shipped, with_gold_folders
from slmkit.recipe.lookup import as_path
from slmkit.recipe.read_keys import Columns, existing_path, read_keys

gold = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
GoldName = Annotated[str, typer.Argument(metavar="GOLD", help="Gold set: its name or folder.")]


@gold.callback()
def _gold() -> None:
    """Check, label, extend, freeze and compare gold sets."""


@dataclass(frozen=True, kw_only=True)
class CheckKeys(Columns):
    """Keys of `gold check`: files and folders to search for leaked gold examples."""

    data: str | None = None
    shots: str | None = None
    seeds: str | None = None
    documents: str | None = None
    encoding: str = "auto"


@dataclass(frozen=True, kw_only=True)
class NamedKeys(FreezeKeys):
    """Keys of `gold freeze`."""

    name: str | int | None = None


@dataclass(frozen=True, kw_only=True)
class AddKeys(Columns):
    """Keys of `gold add`: training data that the new examples must not repeat."""

    data: str | None = None
    encoding: str = "auto"


@gold.command("ls")
def gold_ls(as_json: AsJson = False) -> None:
    """List the frozen gold sets."""
    from slmkit.cli.name_list import print_names

    print_names("gold", as_json=as_json)


@gold.command("check")
def gold_check(
    name: GoldName,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[data=|shots=|seeds=|documents=PATH]...",
            help="Files or folders to search for leaked examples.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check a gold set: hash, duplicates, balance, power, leaks."""
    from slmkit.evaluation.score import default_metric
    from slmkit.evaluation.unreachable_targets import unreachable_text
    from slmkit.gold.gold_set import read_gold
    from slmkit.gold.leak_report import Finding
    from slmkit.gold.soundness import gold_check as find_problems

    keys = read_keys("gold check", _values(arguments), CheckKeys)
    searched = ("data", "shots", "seeds", "documents")
    options: dict[str, Any] = {
        key: existing_path(key, value) for key in searched if (value := getattr(keys, key)) is not None
    }
    folder = find_gold(name)
    findings = find_problems(folder, **options, **_reading(keys))
    frozen = read_gold(folder)
    if text := unreachable_text(default_metric(frozen), frozen.examples):
        findings.append(Finding("warning", "metric", text))
    code = EXIT_REFUSED if any(finding.severity == "error" for finding in findings) else EXIT_DONE
    if as_json:
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({**_facts(folder), "findings": rows, "exit_code": code}, ensure_ascii=False))
        return code
    out.print(
        f"{shown(folder)}: {counted(len(frozen.examples), 'example')}, {len(frozen.dev):,} for development",
        markup=False,
    )
    marks = {"error": "[red]✗[/]", "warning": "[yellow]![/]", "note": "[dim]·[/]"}
    for finding in findings:
        out.print(f"{marks[finding.severity]} {finding.check}: ", end="")
        out.print(finding.text + (f"  ({finding.where})" if finding.where else ""), markup=False)
    return code


@gold.command("add")
def gold_add(
    name: GoldName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Examples to add, in any format that `prepare` reads.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[data=FILE] [label_column=…]...",
            help="Training data to check for leaks, and the columns to read.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add examples to a gold set and freeze it again.

    Examples that are already in the gold set, or in the training data, are skipped.
    """
    from slmkit.gold.add import add_to_gold

    keys = read_keys("gold add", _values(arguments), AddKeys)
    result = add_to_gold(
        find_gold(name),
        existing_path("file", file),
        data=existing_path("data", keys.data) if keys.data else None,
        **_reading(keys),
    )
    count, sha256 = len(result.gold.examples), result.gold.sha256
    if as_json:
        summary = {"gold": str(result.gold.folder), "added": len(result.added), "left_out": result.reasons}
        print(json.dumps({**summary, "examples": count, "sha256": sha256}))
        return
    before = result.gold.card["history"][-1]
    hashes = f"sha256 {before['sha256'][:12]} -> {sha256[:12]}"
    out.print(f"{shown(result.gold.folder)}: {before['count']:,} -> {count:,} examples, {hashes}", markup=False)
    for reason, where in result.left_out:
        out.print(f"skipped, {reason}: {where}", markup=False)
    out.print("Scores before and after are comparable only on shared examples: run eval and compare again.")


@gold.command("label")
def gold_label(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Gold set to check by labelling it again, or a name for new items.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[data=FILE] [labels=[a,b]] [limit=200]...",
            help="Rows to label, the labels to choose from, how many rows.",
            show_default=False,
        ),
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Print progress and agreement without serving.")] = False,
    as_json: AsJson = False,
) -> None:
    """Label rows by hand in the browser and measure agreement.

    Serves a page on this machine. Each person labels without seeing the others' labels; agreement between them is
    Cohen's kappa.
    """
    from slmkit.cli.gold_label import label

    label(name, _values(arguments), status=status, as_json=as_json)


@gold.command("freeze")
def gold_freeze(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="data=FILE [gold=FILE] [name=NAME] [label_column=…]...",
            help="The data, optionally a file of questions, and a name for the gold set.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Freeze a gold set from a data file, as `slmkit loop` does."""
    values = _values(arguments)
    name = read_keys("gold freeze", values, NamedKeys).name
    if name is not None and not re.fullmatch(r"[\w.-]*\w", str(name)):
        fix = "use letters, digits, - and _: the folder is gold/<name>"
        raise SlmkitError(f"{name!r} is not a valid name for a gold set", where=f"command line: name={name}", fix=fix)
    if name is not None and is_shipped(str(name)):
        fix = f"choose another name, such as name=own-{name}"
        raise SlmkitError(f"a gold set {name!r} ships with slmkit", where=f"command line: name={name}", fix=fix)
    if (given := with_gold_folders(values).get("gold")) and (as_path(str(given)) / "card.yaml").is_file():
        words = f"data={values['data']} gold={values['gold']}"
        fix = f"`slmkit loop {words}` uses it; omit gold to freeze part of the data"
        raise SlmkitError(f"{given} is already a frozen gold set", where=f"command line: {words}", fix=fix)
    freeze_values = {key: value for key, value in values.items() if key != "name"}
    console.quiet = as_json
    facts = _facts(Path(freeze_gold_of(freeze_values, name=None if name is None else str(name))["gold"]))
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    counts = f"{counted(facts['examples'], 'example')}, {facts['dev']:,} for development"
    out.print(f"{facts['gold']}: {counts}, sha256 {facts['sha256'][:12]}", markup=False)


@gold.command("diff")
def gold_diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Gold set: its name or folder.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Gold set to compare with it.")],
    as_json: AsJson = False,
) -> int:
    """Compare two gold sets; exit code 2 if they differ."""
    from slmkit.gold.diff import gold_diff as compare
    from slmkit.gold.gold_set import read_gold

    found = compare(read_gold(find_gold(old)), read_gold(find_gold(new)))
    code = EXIT_NEGATIVE if found.added or found.removed or found.answered else EXIT_DONE
    if as_json:
        changes = {"removed": found.removed, "added": found.added, "changed": [after for _, after in found.answered]}
        rows = {key: [example.input for example in examples] for key, examples in changes.items()}
        print(json.dumps({**rows, "exit_code": code}, ensure_ascii=False))
        return code
    for mark, examples in (("-", found.removed), ("+", found.added)):
        for example in examples:
            out.print(f"{mark} {_shorten(example.input)}", markup=False)
    for before, after in found.answered:
        out.print(f"~ {_shorten(after.input)}: {before.target!r} -> {after.target!r}", markup=False)
    counts = f"{len(found.removed)} removed, {len(found.added)} added, {len(found.answered)} with a different answer"
    out.print(counts)
    return code


def _values(arguments: list[str] | None) -> dict[str, Any]:
    return parse(["gold", *(arguments or [])])[1]


def _reading(keys: CheckKeys | AddKeys) -> dict[str, Any]:
    """How the files are read, as given."""
    return {**keys.columns, "encoding": keys.encoding}


def _facts(folder: Path) -> dict[str, Any]:
    """What --json says of a gold set."""
    from slmkit.gold.gold_set import read_gold

    frozen = read_gold(folder)
    return {
        "gold": str(folder),
        "examples": len(frozen.examples),
        "dev": len(frozen.dev),
        "sha256": frozen.sha256,
    }


def _shorten(text: str, length: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
