"""Whether an answer matches the target: by its normalised text, not by its meaning."""

from __future__ import annotations

import re
from typing import Literal

from slmkit.metrics._numbers import decimal_mark, last_number, same_number
from slmkit.metrics._text import accepted, compatible, normalised
from slmkit.metrics._words import has_terms, terms
from slmkit.types import Answer, Example, NonNegativeFloat


def exact_match(example: Example, answer: Answer) -> float:
    """1 if the answer equals the target or an alias, ignoring case, spacing, quotes around it and final punctuation.

    target "top up failed", answer "Top up  failed." -> 1.0; answer "top_up_failed" -> 0.0. A text without a letter or
    digit equals only itself: target "**", answer "*" -> 0.0. The dotless ı is not i: ığdır is not Iğdır.
    """
    return float(not answer.error and _is_accepted(example, answer.text))


def contains(example: Example, answer: Answer) -> float:
    """1 if the answer contains the target or an alias as whole words; Chinese, Japanese and Thai by whole characters.

    target "oak", answer "It is made of oak." -> 1.0; answer "soaked" -> 0.0. Favours long answers.
    A number is one word with its sign and decimals, and signs belong to C++, C# and A-: target "5",
    answer "2.5" or "5 000" -> 0.0.
    """
    return float(any(_contains(answer.text, text) for text in accepted(example)))


def numeric(
    example: Example,
    answer: Answer,
    *,
    tolerance: NonNegativeFloat = 0.0,
    decimal: Literal["as shown", "point", "comma"] = "as shown",
) -> float:
    """1 if the last number of the answer equals that of the target or of an alias, within `tolerance`.

    target "... #### 1,080", answer "So she pays $1080.00." -> 1.0. An answer without a number -> 0.0. Only digits are
    read, of any script; numbers inside words (CO2, km², GPT-4) only if there is no other.
    Thousands may be grouped by comma, point, space or apostrophe, or as in India: 12,34,567. A number such as 1,234 or
    1.234 has two readings: `decimal` says which sign is the decimal mark. "as shown": the one that other numbers of
    its text show (4,50 shows a comma), or else that of the target, or else the point, so that 1,234 is 1234.
    By value: 3/2, 1½, 3e-5, 3×10^-5, 2^10, \\frac{3}{2}, 5 million, 5k. As written, all parts together: times (9:30 pm
    is 21:30), dates, ratios, versions, lists without spaces (1,2,3). A hyphen after a number or word is not a minus
    sign: "3-5 days" -> 5; "minus 5" and "negative 5" are -5. Units may be missing, and are not converted; two
    different known ones are never equal: 5 kg and 5 lb, $5 and ¥5, 50% and 50 cents. Known are, in English or as a
    sign or code: the usual currencies, lengths, areas (m², ha, acre), volumes (l, ml, gal, m³), masses (kg, lb, oz,
    t), times, speeds (km/h, mph, m/s), data (bit, B to PB, MiB, Mbit/s), energy (J, kJ, kWh, kcal), power (W, hp), V,
    A, Hz, °C, °F, K, %. $ may be any dollar, ¥ yen or yuan, kr any krone, a pound lb or £. Any other unit counts as
    none. 50% is 50, not 0.5.
    """
    mark = {"as shown": "", "point": ".", "comma": ","}[decimal]
    shown = mark or next(filter(None, map(decimal_mark, accepted(example))), "")
    number = last_number(answer.text, decimal=mark, fallback=shown)
    if number is None:
        return 0.0
    targets = (last_number(text, decimal=mark, fallback=shown) for text in accepted(example))
    return float(any(target and same_number(number, target, tolerance=tolerance) for target in targets))


def regex(example: Example, answer: Answer, *, pattern: str) -> float:
    """1 if the pattern's first group (or else the whole match) in the answer equals the target, after normalisation.

    pattern "Answer: (.*)", target "oak", answer "I think.\\nAnswer: Oak." -> 1.0; no match -> 0.0.
    """
    found = re.search(pattern, answer.text)
    if not found:
        return 0.0
    return float(_is_accepted(example, (found.group(1) if found.re.groups else found.group(0)) or ""))


def _is_accepted(example: Example, text: str) -> bool:
    return normalised(text) in map(normalised, accepted(example))


def _contains(text: str, phrase: str) -> bool:
    if terms(phrase):
        return has_terms(text, phrase)
    if normalised(text) == normalised(phrase):
        return True
    signs = compatible(phrase).strip()  # of signs only: not inside a longer row of the same sign, * in **
    pattern = rf"(?<!{re.escape(signs[:1])}){re.escape(signs)}(?!{re.escape(signs[-1:])})"
    return signs != "" and re.search(pattern, compatible(text)) is not None
