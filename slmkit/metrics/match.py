"""Whether an answer is the right one: matching after normalisation, never by meaning."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example, NonNegativeFloat

_SIGN = r"(?:(?<![\w%)])[-+−])?"  # after a number or word it is a hyphen: 3-5, 5%-10%, COVID-19
_NUMBER = re.compile(rf"{_SIGN}(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?|{_SIGN}\.\d+")


def exact_match(example: Example, answer: Answer) -> float:
    """1 when the answer equals the target or an alias but for case, spacing, quotes and closing punctuation.

    target "top up failed", answer "Top up  failed." -> 1.0; answer "top_up_failed" -> 0.0.
    """
    right = {normalised(text) for text in (example.target, *example.aliases)}
    return float(not answer.error and normalised(answer.text) in right)


def contains(example: Example, answer: Answer) -> float:
    """1 when the target or an alias stands in the answer as whole words.

    target "oak", answer "It is made of oak." -> 1.0; answer "soaked" -> 0.0. Long answers have an easy time.
    """
    said = f" {_words(answer.text)} "
    return float(any(f" {_words(text)} " in said for text in (example.target, *example.aliases)))


def numeric(example: Example, answer: Answer, *, tolerance: NonNegativeFloat = 0.0) -> float:
    """1 when the last number of the answer equals that of the target or an alias, within `tolerance` either way.

    target "... #### 1,080", answer "So she pays $1080.00." -> 1.0. An answer without a number -> 0.0.
    target "5", answer "It takes 3-5 days" -> 1.0: a hyphen after a number or word is no sign.
    """
    said, within = _last_number(answer.text), Decimal(str(tolerance))
    right = [_last_number(text) for text in (example.target, *example.aliases)]
    return float(said is not None and any(number is not None and abs(said - number) <= within for number in right))


def regex(example: Example, answer: Answer, *, pattern: str) -> float:
    """1 when the pattern's first group (or the whole match) found in the answer equals the target, normalised.

    pattern "Answer: (.*)", target "oak", answer "I think.\\nAnswer: Oak." -> 1.0; no match -> 0.0.
    """
    found = re.search(pattern, answer.text)
    if not found:
        return 0.0
    said = found.group(1) if found.re.groups else found.group(0)
    return float(normalised(said or "") in {normalised(text) for text in (example.target, *example.aliases)})


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _last_number(text: str) -> Decimal | None:
    found = _NUMBER.findall(text)
    try:
        return Decimal(found[-1].replace(",", "").replace("−", "-")) if found else None
    except InvalidOperation:
        return None
