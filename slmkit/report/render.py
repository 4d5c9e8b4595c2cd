"""Renders a template to HTML: text is escaped, and the policy admits only the page's own style and script."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

import slmkit
from slmkit.report import formatting

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


class Mark(NamedTuple):
    """A score as a word and a sign, so that colour is not the only cue."""

    kind: str
    sign: str


def render(template: str, *, script: str | None = None, **values: Any) -> str:
    """The rendered page; its content security policy lists the hashes of its style and script."""
    style_text, script_text = _asset("style.css"), _asset(script) if script else ""
    policy = f"default-src 'none'; style-src '{_hash(style_text)}'; img-src data:; base-uri 'none'; form-action 'none'"
    if script:
        policy += f"; script-src '{_hash(script_text)}'"
    return (
        _environment()
        .get_template(template)
        .render(
            policy=policy,
            style=Markup(style_text),  # trusted: shipped with slmkit, not read from a run
            script=Markup(script_text),
            version=slmkit.__version__,
            **values,
        )
    )


def cell(value: Any) -> str:
    """A table cell as text: chat messages one per line, other structures as JSON."""
    if isinstance(value, list) and value and all(isinstance(turn, dict) and "role" in turn for turn in value):
        return "\n".join(f"{turn['role']}: {turn.get('content', '')}" for turn in value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return formatting.number(value)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    filters = ("number", "score", "signed", "duration", "p_value", "percent", "when")
    environment.filters.update({name: getattr(formatting, name) for name in filters})
    environment.globals.update(
        interval=formatting.interval,
        signed_interval=formatting.signed_interval,
        bounds=formatting.bounds,
        cell=cell,
        marks=_mark,
        shorten=formatting.shorten,
    )
    return environment


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _mark(score: float | None) -> Mark:
    if score is None:
        return Mark("", "")
    return Mark("right", "✓") if score >= 1 else Mark("partly", "≈") if score > 0 else Mark("wrong", "✗")
