"""slmkit gold: check, freeze and compare gold sets."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slmkit.cli.arguments import Columns, existing, read_keys
from slmkit.cli.own_data import FreezeKeys, freeze_gold_of
from slmkit.console import out
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, EXIT_REFUSED, SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.bind import as_path

_READ = ("data", "shots", "seeds", "documents")


@dataclass(frozen=True, kw_only=True)
class CheckKeys(Columns):
    """What `gold check` takes: files and folders in which gold may have leaked, and the columns of data."""

    data: str | None = None
    shots: str | None = None
    seeds: str | None = None
    documents: str | None = None


@dataclass(frozen=True, kw_only=True)
class NamedKeys(FreezeKeys):
    """What `gold freeze` takes."""

    name: str | int | None = None


@dataclass(frozen=True, kw_only=True)
class AddKeys(Columns):
    """What `gold add` takes: training data in which rows would leak, and the columns of the rows."""

    data: str | None = None


def check_gold(name: str, values: dict[str, Any], *, as_json: bool) -> int:
    """Prints what is wrong with a gold set; exit code 4 if an error would spoil a verdict."""
    from slmkit.gold.gold_set import read_gold
    from slmkit.gold.soundness import gold_check

    keys = read_keys("gold check", values, CheckKeys)
    paths = {key: existing(key, value) for key in _READ if (value := getattr(keys, key)) is not None}
    folder = find_gold(name)
    found = gold_check(folder, **paths, text_column=keys.text_column, label_column=keys.label_column)
    errors = [finding for finding in found if finding.severity == "error"]
    code = EXIT_REFUSED if errors else EXIT_DONE
    gold = read_gold(folder)
    if as_json:
        told = {"gold": str(folder), "examples": len(gold.examples), "dev": len(gold.dev), "sha256": gold.sha256}
        print(json.dumps({**told, "findings": [asdict(f) for f in found], "exit_code": code}, ensure_ascii=False))
        return code
    counts = f"{len(gold.examples):,} examples, {len(gold.dev):,} for development"
    out.print(f"{folder}: {counts}, as frozen", markup=False)
    marks = {"error": "[red]✗[/]", "warning": "[yellow]![/]", "note": "[dim]·[/]"}
    for finding in found:
        out.print(f"{marks[finding.severity]} {finding.check}: ", end="")
        out.print(finding.text + (f"  ({finding.where})" if finding.where else ""), markup=False)
    return code


def freeze(values: dict[str, Any], *, as_json: bool) -> None:
    """Freezes the gold set of a data file into gold/<name>/, or finds it frozen."""
    from slmkit.console import console
    from slmkit.gold.gold_set import read_gold

    name = read_keys("gold freeze", values, NamedKeys).name
    if name is not None and not re.fullmatch(r"[\w.-]*\w", str(name)):
        fix = "letters, digits, - and _: the folder is gold/<name>"
        raise SlmkitError(f"{name!r} cannot name a gold set", where=f"command line: name={name}", fix=fix)
    given = {key: value for key, value in values.items() if key != "name"}
    console.quiet = as_json
    folder = Path(freeze_gold_of(given, name=None if name is None else str(name))["gold"])
    gold = read_gold(folder)
    if as_json:
        told = {"gold": str(folder), "examples": len(gold.examples), "dev": len(gold.dev), "sha256": gold.sha256}
        print(json.dumps(told, ensure_ascii=False))
        return
    count = f"{len(gold.examples):,} examples, {len(gold.dev):,} for development, sha256 {gold.sha256[:12]}"
    out.print(f"{folder}: {count}", markup=False)


def add(name: str, file: str, values: dict[str, Any], *, as_json: bool) -> None:
    """Adds the rows of a file that are new to a gold set, freezes it anew and tells what changed."""
    from slmkit.gold.add import add_to_gold

    keys = read_keys("gold add", values, AddKeys)
    done = add_to_gold(
        find_gold(name),
        existing("file", file),
        data=existing("data", keys.data) if keys.data else None,
        text_column=keys.text_column,
        label_column=keys.label_column,
    )
    if as_json:
        told = {"gold": str(done.gold.folder), "added": len(done.added), "left_out": done.reasons}
        print(json.dumps({**told, "examples": len(done.gold.examples), "sha256": done.gold.sha256}))
        return
    before = done.gold.card["history"][-1]
    now = f"{done.gold.folder}: {before['count']:,} -> {len(done.gold.examples):,} examples"
    out.print(f"{now}, sha256 {before['sha256'][:12]} -> {done.gold.sha256[:12]}", markup=False)
    for reason, where in done.left_out:
        out.print(f"left out, {reason}: {where}", markup=False)
    out.print("scores on the two compare on the examples they share only: run eval and compare again")


def diff(old: str, new: str, *, as_json: bool) -> int:
    """Prints what changed between two gold sets; exit code 2 if anything did."""
    from slmkit.gold.diff import gold_diff
    from slmkit.gold.gold_set import read_gold

    found = gold_diff(read_gold(find_gold(old)), read_gold(find_gold(new)))
    code = EXIT_NEGATIVE if found.added or found.removed or found.answered else EXIT_DONE
    if as_json:
        told = {"removed": found.removed, "added": found.added, "changed": [after for _, after in found.answered]}
        rows = {key: [example.input for example in examples] for key, examples in told.items()}
        print(json.dumps({**rows, "exit_code": code}, ensure_ascii=False))
        return code
    for mark, examples in (("-", found.removed), ("+", found.added)):
        for example in examples:
            out.print(f"{mark} {_short(example.input)}", markup=False)
    for before, after in found.answered:
        out.print(f"~ {_short(after.input)}: {before.target!r} -> {after.target!r}", markup=False)
    counts = (len(found.removed), len(found.added), len(found.answered))
    out.print("{} removed, {} added, {} with another answer".format(*counts))
    return code


def find_gold(name: str) -> Path:
    """The folder of a gold set given by name ("tickets") or as a path."""
    for folder in (as_path(name), *(root / "gold" / name for root in lookup.roots())):
        if (folder / "card.yaml").is_file():
            return folder
        if (folder / "examples.jsonl").is_file():
            fix = "bring card.yaml back: it holds the hash that says the examples are the frozen ones"
            raise SlmkitError("the gold set has no card.yaml", where=str(folder), fix=fix)
    fix = lookup.suggest(name, lookup.gold_folders(), "`slmkit gold freeze data=FILE` makes one")
    raise SlmkitError(f"no gold set {name!r}", where="command line", fix=fix)


def _short(text: str, length: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
