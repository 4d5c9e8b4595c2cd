"""Whether an answer matches the target: by its normalised text, not by its meaning."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example, NonNegativeFloat

_SIGN = r"(?:(?<![\w%)])[-+−])?"  # after a number or word it is a hyphen, as in 3-5, 5%-10%, COVID-19
_NUMBER = re.compile(rf"{_SIGN}(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?|{_SIGN}\.\d+")


def exact_match(example: Example, answer: Answer) -> float:
    """1 if the answer equals the target or an alias, ignoring case, spacing, outer quotes and final punctuation.

    target "top up failed", answer "Top up  failed." -> 1.0; answer "top_up_failed" -> 0.0.
    """
    accepted = {normalised(text) for text in (example.target, *example.aliases)}
    return float(not answer.error and normalised(answer.text) in accepted)


def contains(example: Example, answer: Answer) -> float:
    """1 if the answer contains the target or an alias as whole words.

    target "oak", answer "It is made of oak." -> 1.0; answer "soaked" -> 0.0. Favours long answers.
    """
    words = f" {_words(answer.text)} "
    return float(any(f" {_words(text)} " in words for text in (example.target, *example.aliases)))


def numeric(example: Example, answer: Answer, *, tolerance: NonNegativeFloat = 0.0) -> float:
    """1 if the last number of the answer equals that of the target or of an alias, within `tolerance`.

    target "... #### 1,080", answer "So she pays $1080.00." -> 1.0. An answer without a number -> 0.0.
    target "5", answer "It takes 3-5 days" -> 1.0: a hyphen after a number or word is not a minus sign.
    """
    value, margin = _last_number(answer.text), Decimal(str(tolerance))
    accepted = [_last_number(text) for text in (example.target, *example.aliases)]
    return float(
        value is not None and any(number is not None and abs(value - number) <= margin for number in accepted)
    )


def regex(example: Example, answer: Answer, *, pattern: str) -> float:
    """1 if the pattern's first group (or else the whole match) in the answer equals the target, after normalisation.

    pattern "Answer: (.*)", target "oak", answer "I think.\\nAnswer: Oak." -> 1.0; no match -> 0.0.
    """
    found = re.search(pattern, answer.text)
    if not found:
        return 0.0
    text = found.group(1) if found.re.groups else found.group(0)
    return float(normalised(text or "") in {normalised(accepted) for accepted in (example.target, *example.aliases)})


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _last_number(text: str) -> Decimal | None:
    found = _NUMBER.findall(text)
    try:
        return Decimal(found[-1].replace(",", "").replace("−", "-")) if found else None
    except InvalidOperation:
        return None
