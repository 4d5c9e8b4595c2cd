"""Formal requirements that need no target: length, required words, forbidden words.

An empty answer meets none, as in the evaluation of IFEval (Zhou et al. 2023, https://arxiv.org/abs/2311.07911).
"""

from __future__ import annotations

import re

from slmkit.metrics._words import count_lettered_pieces, has_terms, terms
from slmkit.types import Answer, Example, NonNegativeInt


def word_count(
    example: Example, answer: Answer, *, at_least: NonNegativeInt = 0, at_most: NonNegativeInt | None = None
) -> float:
    """1 if the answer has at_least to at_most words: at_most 3, answer "yes, of course" -> 1.0.

    Words are what stands between spaces and has a letter or digit; in Chinese, Japanese and Thai each character.
    """
    count = count_lettered_pieces(answer.text)
    return float(count > 0 and count >= at_least and (at_most is None or count <= at_most))


def says_all(example: Example, answer: Answer, *, words: list[str]) -> float:
    """The fraction of `words` (or phrases) in the answer: words ["oak", "red"], answer "It is oak." -> 0.5."""
    if not answer.text.strip():
        return 0.0
    return sum(_says(answer.text, word) for word in words) / len(words) if words else 1.0


def says_none(example: Example, answer: Answer, *, words: list[str]) -> float:
    """1 if the answer contains none of `words` (or phrases), such as a competitor's name.

    words ["oak"]: answer "It was soaked." -> 1.0; answer "Oak!" -> 0.0.
    """
    return float(bool(answer.text.strip()) and not any(_says(answer.text, word) for word in words))


def bullet_count(
    example: Example, answer: Answer, *, at_least: NonNegativeInt = 1, at_most: NonNegativeInt | None = None
) -> float:
    """1 if the answer has at_least to at_most list items: lines that begin with "*", "-", "•", "1." or "1)".

    at_least 2: answer "1. a\\n- b\\nc" has 2 items -> 1.0.
    """
    count = len(re.findall(r"^\s*(?:[*•-]|\d+[.)])\s+\S", answer.text, re.MULTILINE))
    return float(count >= at_least and (at_most is None or count <= at_most))


def _says(text: str, phrase: str) -> bool:
    """Whether the text has the whole words of the phrase; signs without a word, such as €, anywhere."""
    return has_terms(text, phrase) if terms(phrase) else bool(phrase.strip()) and phrase.strip() in text
