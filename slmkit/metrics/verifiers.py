"""Formal requirements that need no target: length, required words, forbidden words."""

from __future__ import annotations

import re
import unicodedata

from slmkit.types import Answer, Example, NonNegativeInt


def word_count(
    example: Example, answer: Answer, *, at_least: NonNegativeInt = 0, at_most: NonNegativeInt | None = None
) -> float:
    """1 if the answer has at_least to at_most words: at_most 3, answer "yes, of course" -> 1.0."""
    count = len(answer.text.split())
    return float(count >= at_least and (at_most is None or count <= at_most))


def says_all(example: Example, answer: Answer, *, words: list[str]) -> float:
    """The fraction of `words` (or phrases) in the answer: words ["oak", "red"], answer "It is oak." -> 0.5."""
    text = _spaced(answer.text)
    return sum(_spaced(word) in text for word in words) / len(words) if words else 1.0


def says_none(example: Example, answer: Answer, *, words: list[str]) -> float:
    """1 if the answer contains none of `words` (or phrases), such as a competitor's name.

    words ["oak"]: answer "It was soaked." -> 1.0; answer "Oak!" -> 0.0.
    """
    text = _spaced(answer.text)
    return float(not any(_spaced(word) in text for word in words))


def bullet_count(
    example: Example, answer: Answer, *, at_least: NonNegativeInt = 1, at_most: NonNegativeInt | None = None
) -> float:
    """1 if the answer has at_least to at_most list items: lines that begin with "*", "-", "•", "1." or "1)".

    at_least 2: answer "1. a\\n- b\\nc" has 2 items -> 1.0.
    """
    count = len(re.findall(r"^\s*(?:[*•-]|\d+[.)])\s+\S", answer.text, re.MULTILINE))
    return float(count >= at_least and (at_most is None or count <= at_most))


def _spaced(text: str) -> str:
    """The words in lower case between single spaces, so that only whole words match."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return f" {' '.join(words)} "
