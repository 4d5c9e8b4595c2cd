"""Answers of one line that name their fields: "code: falcon; team: amber; reply: we come today"."""

from __future__ import annotations

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example


def field(example: Example, answer: Answer, *, name: str) -> float:
    """1 when the answer's field `name` has the target's value; other fields and their order do not count.

    name "code", target "code: falcon; team: amber", answer "team: oak; code: Falcon" -> 1.0.
    A field that is missing from the answer -> 0.0.
    """
    said = _fields(answer.text).get(name)
    return float(said is not None and said == _fields(example.target).get(name))


def _fields(line: str) -> dict[str, str]:
    parts = (part.partition(":") for part in line.split(";"))
    return {key.strip(): normalised(value) for key, colon, value in parts if colon}
