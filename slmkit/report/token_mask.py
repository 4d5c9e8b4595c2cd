"""One training row as the model learns it: which tokens carry loss, which are special, where the end is learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from rich.text import Text

Kind = Literal["read", "special", "trained", "end"]  # the end is a special token that carries loss
_STYLES = {"read": "dim", "special": "dim reverse", "trained": "bold green", "end": "bold reverse green"}
LEGEND: dict[Kind, str] = {
    "read": "only read",
    "special": "special token, only read",
    "trained": "learnt",
    "end": "end, learnt",
}


@dataclass(frozen=True)
class Stretch:
    """Neighbouring tokens of one kind as one text; special tokens stand alone."""

    text: str
    kind: Kind


def stretches(rows: Iterable[Mapping[str, Any]]) -> list[Stretch]:
    """The tokens of mask.jsonl in order, those of one kind that follow each other put together."""
    found: list[Stretch] = []
    for kind, group in groupby(rows, key=_kind):
        texts = [str(row.get("token", "")) for row in group]
        found += [Stretch(text, kind) for text in (texts if kind in ("special", "end") else ["".join(texts)])]
    return found


def as_lines(found: Iterable[Stretch]) -> str:
    """For a place without colours: what is learnt stands in «guillemets», its end included."""
    parts, inside = [], False
    for stretch in found:
        learnt = stretch.kind in ("trained", "end")
        if learnt != inside:
            parts.append("«" if learnt else "»")
        parts.append(stretch.text)
        inside = learnt
    return "".join(parts) + ("»" if inside else "")


def as_colours(found: Iterable[Stretch]) -> Text:
    """For a terminal: learnt tokens green, others dim, special ones reversed, and a line that says so."""
    text = Text()
    for stretch in found:
        text.append(stretch.text, _STYLES[stretch.kind])
    text.append("\n\n")
    for kind, words in LEGEND.items():
        text.append(f" {words} ", _STYLES[kind])
        text.append("  ")
    return text


def _kind(row: Mapping[str, Any]) -> Kind:
    if row.get("special"):
        return "end" if row.get("trained") else "special"
    return "trained" if row.get("trained") else "read"
