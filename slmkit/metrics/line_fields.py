"""One-line answers with named fields, such as "code: falcon; team: amber; reply: we come today"."""

from __future__ import annotations

from slmkit.metrics._text import accepted, normalised
from slmkit.types import Answer, Example


def field(example: Example, answer: Answer, *, name: str) -> float:
    """1 if the answer's field `name` has the value of the target or of an alias; other fields do not matter.

    name "code", target "code: falcon; team: amber", answer "team: oak; code: Falcon" -> 1.0.
    A missing field, or one with two values ("code: falcon; code: oak") -> 0.0.
    """
    values = _values(answer.text, name)
    return float(len(values) == 1 and values in (_values(text, name) for text in accepted(example)))


def _values(line: str, name: str) -> set[str]:
    parts = (part.partition(":") for part in line.split(";"))
    return {normalised(value) for key, colon, value in parts if colon and key.strip() == name}
