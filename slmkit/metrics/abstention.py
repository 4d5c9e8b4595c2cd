"""Whether a system says that it does not know: right where the question has no answer, a loss where it has one.

An example is unanswerable where its target itself abstains, such as "I don't know." or an empty text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from slmkit.errors import SlmkitError
from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example

_ABSTAINS = re.compile(
    r"\b(i do(n['’]?t| not) know|do(es)? not (say|state|mention|contain)|do(es)?n['’]?t (say|state|mention|contain)"
    r"|not (stated|mentioned|answerable|in the (text|passages?|context|documents?|notes))|unanswerable|unknown"
    r"|no (answer|information)|(can ?not|can['’]?t) (be )?(answer|tell|say|determine)(ed|d)?)\b"
)


def abstains(example: Example, answer: Answer) -> float:
    """1 when the answer says that it does not know, or is empty without an error: "The text does not say." -> 1.0."""
    return float(not answer.error and _abstains(answer.text))


def abstain_rate(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The share of unanswerable questions to which the system says so; higher is better."""
    return _rate(examples, answers, answerable=False)


def false_abstain_rate(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The share of answerable questions that the system leaves unanswered; lower is better."""
    return _rate(examples, answers, answerable=True)


def _rate(examples: Sequence[Example], answers: Sequence[Answer], *, answerable: bool) -> float:
    asked = [
        abstains(example, answer)
        for example, answer in zip(examples, answers, strict=True)
        if _abstains(example.target) != answerable
    ]
    if not asked:
        kind = "an answer" if answerable else "none: no target abstains"
        raise SlmkitError(f"no question of the gold set has {kind}", fix="leave this metric out")
    return sum(asked) / len(asked)


def _abstains(text: str) -> bool:
    said = normalised(text)
    return not said or bool(_ABSTAINS.search(said))
