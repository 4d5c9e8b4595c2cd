"""Abstention: whether a system says that it does not know, on questions without and with an answer.

An example is unanswerable if its target abstains, such as "I don't know." or an empty text.
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
    """1 if the answer says that it does not know, or is empty without an error.

    "The text does not say." -> 1.0; "He knows no fear." -> 0.0. Recognises common English wordings only.
    """
    return float(not answer.error and _abstains(answer.text))


def abstain_rate(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The fraction of unanswerable questions on which the system abstains; higher is better.

    4 unanswerable questions, answered "I don't know.", "Unknown.", "" and "Oslo" -> 3/4 = 0.75.
    Raises: SlmkitError if the gold set has no unanswerable question.
    """
    return _rate(examples, answers, answerable=False)


def false_abstain_rate(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """The fraction of answerable questions on which the system abstains; lower is better.

    10 answerable questions, 2 of them answered "I cannot tell." -> 0.2.
    Raises: SlmkitError if the gold set has no answerable question.
    """
    return _rate(examples, answers, answerable=True)


def _rate(examples: Sequence[Example], answers: Sequence[Answer], *, answerable: bool) -> float:
    scores = [
        abstains(example, answer)
        for example, answer in zip(examples, answers, strict=True)
        if _abstains(example.target) != answerable
    ]
    if not scores:
        name, kind = ("false_abstain_rate", "answerable") if answerable else ("abstain_rate", "unanswerable")
        raise SlmkitError(f"{name} needs {kind} questions; the gold set has none", fix="remove this metric")
    return sum(scores) / len(scores)


def _abstains(text: str) -> bool:
    text = normalised(text)
    return not text or bool(_ABSTAINS.search(text))
