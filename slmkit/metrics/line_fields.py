"""One-line answers with named fields, such as "code: falcon; team: amber; reply: we come today"."""

from __future__ import annotations

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example


def field(example: Example, answer: Answer, *, name: str) -> float:
    """1 if the answer's field `name` has the target's value; other fields and their order do not matter.

    name "code", target "code: falcon; team: amber", answer "team: oak; code: Falcon" -> 1.0.
    A missing field -> 0.0.
    """
    value = _fields(answer.text).get(name)
    return float(value is not None and value == _fields(example.target).get(name))


def _fields(line: str) -> dict[str, str]:
    parts = (part.partition(":") for part in line.split(";"))
    return {key.strip(): normalised(value) for key, colon, value in parts if colon}
