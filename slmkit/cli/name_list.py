"""Every name a recipe or command can use, each with one line about it; imports none of them."""

from __future__ import annotations

import json
from pathlib import Path

from rich.text import Text

from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup

KINDS = ("recipes", *lookup.PART_KINDS, "models", "profiles", "gold")


def print_names(kind: str | None, *, as_json: bool) -> None:
    """Prints every name, or those of one kind, each with one line about it."""
    if kind is not None and kind not in KINDS:
        raise SlmkitError(f"unknown kind {kind!r}", where="command line", fix=lookup.suggest(kind, KINDS))
    kinds = [kind] if kind else KINDS
    found = {one: rows for one in kinds if (rows := _names_of(one))}
    if as_json:
        print(json.dumps({one: dict(rows) for one, rows in found.items()}, ensure_ascii=False))
        return
    for one, rows in found.items():
        names: list[list[str | Text]] = [[Text(name, "cyan"), line] for name, line in rows]
        print_rows([[Text(one, "bold")], *names])
        out.print()


def describe(kind: str, path: Path) -> str:
    """One line about a YAML file, from its `key: value` lines or first comment; not parsed, for speed."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    values = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith((" ", "-", "#")))
    if kind == "models":
        facts = [values.get("hub_id", "bundled"), values.get("licence"), values.get("role")]
        return ", ".join(fact for fact in facts if fact)
    if kind == "gold":
        return f"{values.get('count')} examples, {values.get('kind')}"
    comment = next((line[2:] for line in lines if line.startswith("# ")), "")
    return values.get("title", comment).strip("'\"")


def _names_of(kind: str) -> list[tuple[str, str]]:
    if kind in lookup.PART_KINDS:
        return [(name, lookup.first_line(path, name)) for name, path in sorted(lookup.part_files(kind).items())]
    if kind == "gold":
        folders = sorted(lookup.gold_folders().items())
        return [(name, describe(kind, folder / "card.yaml")) for name, folder in folders]
    folder = "recipes" if kind == "recipes" else f"configs/{kind}"
    return [(name, describe(kind, path)) for name, path in lookup.named_files(folder).items()]
