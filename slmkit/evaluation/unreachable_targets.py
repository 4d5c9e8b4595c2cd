"""Gold targets that a metric cannot read, such as a JSON metric on a target without JSON: every answer scores 0.

That says nothing about a system, so it is said; if no target can be read, nothing is asked.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence

from slmkit.errors import SlmkitError, counted
from slmkit.evaluation.score import LONG_TARGET
from slmkit.evaluation.set_metrics import metric_name
from slmkit.metrics._read_json import read_json
from slmkit.metrics._text import accepted
from slmkit.metrics.fields import json_fields, json_match
from slmkit.metrics.line_fields import field
from slmkit.metrics.match import exact_match, numeric
from slmkit.metrics.overlap import f1
from slmkit.metrics.slots import slot_f1
from slmkit.text.words import count_words
from slmkit.types import Answer, Example

Metric = Callable[..., float]

# By which metric a target is read, and what it must hold. Other metrics take any text, or look at the answer only.
_HOLD: dict[Metric, str] = {
    json_fields: "JSON",
    json_match: "JSON",
    slot_f1: "JSON",
    numeric: "number",
    field: "such field",
}

_WORD = re.compile(r"[^\W\d_]{2}")  # two letters


def unreachable(metric: Metric, examples: Sequence[Example]) -> list[Example]:
    """The examples on which not even the target scores: the metric cannot read it, nor an alias."""
    function = getattr(metric, "function", metric)
    if function is slot_f1:
        return [one for one in examples if all(read_json(text) is None for text in accepted(one))]
    if function not in _HOLD:
        return []
    return [one for one in examples if not any(metric(one, Answer(one.id, text)) for text in accepted(one))]


def unreachable_text(metric: Metric, examples: Sequence[Example]) -> str:
    """A sentence on the targets that the metric cannot read, with the first and what would fit; "" if it reads all.

    Example: "3 of 40 gold targets hold no JSON, so any answer to them scores 0 by json_match. First: 'which cup?' ->
    'red'. exact_match fits the targets".
    """
    found = unreachable(metric, examples)
    if not found:
        return ""
    first, total = found[0], counted(len(examples), "gold target")
    holds, them = ("holds", "it") if len(found) == 1 else ("hold", "them")
    count = "the only gold target" if len(examples) == 1 else f"{len(found):,} of {total}"
    what = _HOLD[getattr(metric, "function", metric)]
    return (
        f"{count} {holds} no {what}, so any answer to {them} scores 0 by {metric_name(metric)}. "
        f"First: {first.input[-60:]!r} -> {first.target[:60]!r}. {_fitting(examples)} fits the targets"
    )


def check_targets(metric: Metric, examples: Sequence[Example], *, where: str) -> None:
    """Raises SlmkitError if the metric can read none of the targets: every system would score 0."""
    if examples and len(unreachable(metric, examples)) == len(examples):
        what = unreachable_text(metric, examples)
        raise SlmkitError(what, where=where, fix=f"set metric={_fitting(examples)}")


def _fitting(examples: Sequence[Example]) -> str:
    """The name of a metric that reads every target; a number in words, as in "kind 1", is a label and no number."""
    if not unreachable(json_fields, examples):
        return json_fields.__name__
    if not unreachable(numeric, examples) and not any(_WORD.search(example.target) for example in examples):
        return numeric.__name__
    words = statistics.median(count_words(example.target) for example in examples)
    return (f1 if words > LONG_TARGET else exact_match).__name__
