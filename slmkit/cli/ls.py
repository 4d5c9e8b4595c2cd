"""slmkit ls: every name that can be used, with one line on what it is. Nothing is imported for it."""

from __future__ import annotations

import json
from pathlib import Path

from rich.text import Text

from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup

_KINDS = ("recipes", *lookup.PART_KINDS, "models", "profiles", "gold")


def listing(kind: str | None, *, as_json: bool) -> None:
    """Prints every name, or those of one kind, each with one line on what it is."""
    if kind is not None and kind not in _KINDS:
        raise SlmkitError(f"unknown kind {kind!r}", where="command line", fix=lookup.suggest(kind, _KINDS))
    found = {one: rows for one in ([kind] if kind else _KINDS) if (rows := _named(one))}
    if as_json:
        print(json.dumps({one: dict(rows) for one, rows in found.items()}, ensure_ascii=False))
        return
    for one, rows in found.items():
        named: list[list[str | Text]] = [[Text(name, "cyan"), about] for name, about in rows]
        print_rows([[Text(one, "bold")], *named])
        out.print()


def _named(kind: str) -> list[tuple[str, str]]:
    if kind in lookup.PART_KINDS:
        return [(name, lookup.first_line(path, name)) for name, path in sorted(lookup.part_files(kind).items())]
    if kind == "gold":
        return [(name, about(kind, folder / "card.yaml")) for name, folder in sorted(lookup.gold_folders().items())]
    folder = "recipes" if kind == "recipes" else f"configs/{kind}"
    return [(name, about(kind, path)) for name, path in lookup.named_files(folder).items()]


def about(kind: str, path: Path) -> str:
    """One line on a YAML file, from its `key: value` lines or first comment; it is not parsed, for speed."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    values = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith((" ", "-", "#")))
    if kind == "models":
        said = [values.get("hub_id", "embedded"), values.get("licence"), values.get("role")]
        return ", ".join(text for text in said if text)
    if kind == "gold":
        return f"{values.get('count')} examples, {values.get('kind')}"
    comment = next((line[2:] for line in lines if line.startswith("# ")), "")
    return values.get("title", comment).strip("'\"")
