"""The data card as one self-contained HTML page: no network access, no script, all text escaped, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1a1d21; --soft: #5a6169; --line: #e1e4e8; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --ink: #e7e9ec; --soft: #a3abb4; --line: #2d3339; } }
body { margin: 0 auto; max-width: 56rem; padding: 2rem 1rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: baseline;
  padding: 0.35rem 1rem 0.35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 500; color: var(--soft); width: 12rem; } td { white-space: pre-wrap; unicode-bidi: plaintext; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def card_page(card: Mapping[str, Any]) -> str:
    """The page: first the single values of the card, then one section per list or group."""
    sections = [(key, value) for key, value in card.items() if isinstance(value, dict | list) and value]
    facts = {key: value for key, value in card.items() if not isinstance(value, dict | list)}
    parts = [_table(facts), *(_section(str(key), value) for key, value in sections)]
    title = escape(f"Data card: {', '.join(map(str, card.get('source', [])))}")
    return str(
        Markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta http-equiv="Content-Security-Policy" content="{policy}">'
            "<title>{title}</title><style>{style}</style></head>\n<body><main><h1>{title}</h1>\n{body}\n"
            "</main></body></html>\n"
        ).format(policy=_POLICY, title=title, style=Markup(_STYLE), body=Markup("\n").join(parts))
    )


def _section(key: str, value: Any) -> Markup:
    heading = Markup("<h2>{}</h2>\n").format(key.replace("_", " ").capitalize())
    if isinstance(value, dict):
        return heading + _table(value)
    if all(isinstance(item, dict) for item in value):
        return heading + Markup("\n").join(_table(item) for item in value)
    rows = Markup("").join(Markup("<tr><td>{}</td></tr>").format(item) for item in value)
    return heading + Markup("<table>{}</table>").format(rows)


def _table(values: Mapping[str, Any]) -> Markup:
    return Markup("<table>{}</table>").format(Markup("\n").join(_row(str(k), v) for k, v in values.items()))


def _row(key: str, value: Any) -> Markup:
    heading = Markup('<tr><th scope="row">{}</th>').format(key.replace("_", " "))
    if isinstance(value, dict) and value:
        return heading + Markup("<td>{}</td></tr>").format(_table(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return heading + Markup('<td class="number">{}</td></tr>').format(f"{value:,}")
    shown = {None: "–", True: "yes", False: "no"}.get(value, value) if isinstance(value, bool | None) else value
    return heading + Markup("<td>{}</td></tr>").format("none" if shown in ({}, []) else shown)
