"""JSON answers: whether they can be parsed, and which of their fields are right.

An answer is JSON if it holds exactly one complete object or array: alone, in its only code block, or in prose. A value
that is cut, a second value, a repeated key, NaN or Infinity make it none.
"""

from __future__ import annotations

from slmkit.metrics._json_value import same_json, shared_fields
from slmkit.metrics._read_json import read_json
from slmkit.metrics._text import accepted
from slmkit.types import Answer, Example


def json_valid(example: Example, answer: Answer) -> float:
    """1 if the answer is JSON: one complete object or array, for example in a code block.

    'Here: {"city": "Oslo"}' -> 1.0; '{"legs": [{"to": "Rome"}' -> 0.0, because it is cut; "As source [1] says" -> 0.0,
    because [1] is a citation.
    """
    return float(read_json(answer.text) is not None)


def json_fields(example: Example, answer: Answer, *, ordered: bool = True) -> float:
    """F1 of the fields: a field is right if its place and its value are; the best over the aliases. Symmetric.

    target {"city": "Oslo", "days": 2}, answer {"city": "oslo"}: precision 1, recall 1/2 -> 0.667.
    Texts are normalised, numbers equal by value (2 and 2.0), types differ (2 and "2"). Items of a list are paired in
    order, so that most fields agree; `ordered: false` pairs them in any order. Where that takes more than 250,000
    comparisons, equal items are paired first and what is left as it stands. An answer without JSON -> 0.0.
    """
    answered = read_json(answer.text)
    if answered is None:
        return 0.0
    targets = [target for text in accepted(example) if (target := read_json(text)) is not None]
    counts = (shared_fields(target, answered, ordered=ordered) for target in targets)
    return max((2 * shared / (expected + predicted) for shared, expected, predicted in counts), default=0.0)


def json_match(example: Example, answer: Answer, *, ordered: bool = True) -> float:
    """1 if the answer's JSON equals that of the target or of an alias: same fields, records, and order of lists.

    target {"city": "Oslo", "days": 2}: answer {"days": 2, "city": "oslo"} -> 1.0; {"city": "Oslo"} -> 0.0.
    Values as in json_fields. `ordered: false` takes lists for sets, in which an item may repeat. JSON is an object or
    an array here: a bare 5 or "x" is not.
    """
    answered = read_json(answer.text)
    if answered is None:
        return 0.0
    targets = map(read_json, accepted(example))
    return float(any(target is not None and same_json(target, answered, ordered=ordered) for target in targets))
