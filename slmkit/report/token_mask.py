"""Shows the loss mask of one training row: which tokens are trained on, and which are special."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from rich.text import Text

Kind = Literal["context", "special", "trained", "end"]  # "end": a special token with loss
_STYLES = {"context": "dim", "special": "dim reverse", "trained": "bold green", "end": "bold reverse green"}
LEGEND: dict[Kind, str] = {
    "context": "no loss",
    "special": "special token, no loss",
    "trained": "trained on",
    "end": "end token, trained on",
}


@dataclass(frozen=True)
class Span:
    """Consecutive tokens of one kind as one text; each special token is a span."""

    text: str
    kind: Kind


def mask_spans(rows: Iterable[Mapping[str, Any]]) -> list[Span]:
    """The tokens of mask.jsonl in order, consecutive tokens of one kind joined."""
    spans: list[Span] = []
    for kind, group in groupby(rows, key=_kind):
        texts = [str(row.get("token", "")) for row in group]
        spans += [Span(text, kind) for text in (texts if kind in ("special", "end") else ["".join(texts)])]
    return spans


def plain_mask(spans: Iterable[Span]) -> str:
    """Plain text in which the tokens with loss are in «guillemets»."""
    parts, inside = [], False
    for span in spans:
        is_trained = span.kind in ("trained", "end")
        if is_trained != inside:
            parts.append("«" if is_trained else "»")
        parts.append(span.text)
        inside = is_trained
    return "".join(parts) + ("»" if inside else "")


def colored_mask(spans: Iterable[Span]) -> Text:
    """Terminal text: trained tokens green, others dim, special ones reversed, followed by a legend."""
    text = Text()
    for span in spans:
        text.append(span.text, _STYLES[span.kind])
    text.append("\n\n")
    for kind, meaning in LEGEND.items():
        text.append(f" {meaning} ", _STYLES[kind])
        text.append("  ")
    return text


def _kind(row: Mapping[str, Any]) -> Kind:
    if row.get("special"):
        return "end" if row.get("trained") else "special"
    return "trained" if row.get("trained") else "context"
