"""slmkit gold: check, freeze and compare gold sets."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from slmkit import names
from slmkit.bind import as_path
from slmkit.console import out
from slmkit.errors import EXIT_DONE, EXIT_NEGATIVE, EXIT_REFUSED, SlmkitError

_CHECK_KEYS = ("data", "shots", "seeds", "documents", "text_column", "label_column")


def check_gold(name: str, values: dict[str, Any], *, as_json: bool) -> int:
    """Prints what is wrong with a gold set; exit code 4 if an error would spoil a verdict."""
    from slmkit.data.gold import read_gold
    from slmkit.data.gold_check import gold_check

    for key, value in values.items():
        if key not in _CHECK_KEYS:
            fix = names.suggest(key, _CHECK_KEYS)
            raise SlmkitError(f"`gold check` takes no {key!r}", where=f"command line: {key}={value}", fix=fix)
        if key in ("data", "shots", "seeds", "documents"):
            values[key] = _existing(key, value)
    folder = find_gold(name)
    found = gold_check(folder, **values)
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
    from slmkit.commands.own_data import FREEZE_KEYS, freeze_gold_of
    from slmkit.console import console
    from slmkit.data.gold import read_gold

    if "data" not in values:
        raise SlmkitError("no data named", where="command line", fix="slmkit gold freeze data=FILE")
    for key, value in values.items():
        if key not in (*FREEZE_KEYS, "name"):
            fix = names.suggest(key, (*FREEZE_KEYS, "name"))
            raise SlmkitError(f"`gold freeze` takes no {key!r}", where=f"command line: {key}={value}", fix=fix)
    name = values.pop("name", None)
    if name is not None and not re.fullmatch(r"[\w.-]*\w", str(name)):
        fix = "letters, digits, - and _: the folder is gold/<name>"
        raise SlmkitError(f"{name!r} cannot name a gold set", where=f"command line: name={name}", fix=fix)
    console.quiet = as_json
    folder = Path(freeze_gold_of(values, name=name and str(name))["gold"])
    gold = read_gold(folder)
    if as_json:
        told = {"gold": str(folder), "examples": len(gold.examples), "dev": len(gold.dev), "sha256": gold.sha256}
        print(json.dumps(told, ensure_ascii=False))
        return
    count = f"{len(gold.examples):,} examples, {len(gold.dev):,} for development, sha256 {gold.sha256[:12]}"
    out.print(f"{folder}: {count}", markup=False)


def add(name: str, file: str, values: dict[str, Any], *, as_json: bool) -> None:
    """Adds the rows of a file that are new to a gold set, freezes it anew and tells what changed."""
    from slmkit.data.gold_add import add_to_gold

    for key, value in values.items():
        if key not in ("data", "text_column", "label_column"):
            fix = names.suggest(key, ("data", "text_column", "label_column"))
            raise SlmkitError(f"`gold add` takes no {key!r}", where=f"command line: {key}={value}", fix=fix)
    if "data" in values:
        values["data"] = _existing("data", values["data"])
    done = add_to_gold(find_gold(name), _existing("file", file), **values)
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
    from slmkit.data.gold import read_gold
    from slmkit.data.gold_diff import gold_diff

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
    for folder in (as_path(name), *(root / "gold" / name for root in names.roots())):
        if (folder / "card.yaml").is_file():
            return folder
        if (folder / "examples.jsonl").is_file():
            fix = "bring card.yaml back: it holds the hash that says the examples are the frozen ones"
            raise SlmkitError("the gold set has no card.yaml", where=str(folder), fix=fix)
    options = {p.parent.name for root in names.roots() for p in (root / "gold").glob("*/card.yaml")}
    fix = names.suggest(name, options, "`slmkit gold freeze data=FILE` makes one")
    raise SlmkitError(f"no gold set {name!r}", where="command line", fix=fix)


def _existing(key: str, value: Any) -> Path:
    path = as_path(str(value))
    if not path.exists():
        where = f"command line: {key}={value}"
        raise SlmkitError(f"no file or folder {str(value)!r}", where=where, fix=names.suggest_file(str(path)))
    return path


def _short(text: str, length: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
