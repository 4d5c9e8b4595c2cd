"""Rules of form that can be checked without knowing the answer: length, words that must or must not stand there."""

from __future__ import annotations

import re
import unicodedata

from slmkit.types import Answer, Example, NonNegativeInt


def word_count(
    example: Example, answer: Answer, *, at_least: NonNegativeInt = 0, at_most: NonNegativeInt | None = None
) -> float:
    """1 when the answer has at_least to at_most words: at_most 3, answer "yes, of course" -> 1.0."""
    count = len(answer.text.split())
    return float(count >= at_least and (at_most is None or count <= at_most))


def says_all(example: Example, answer: Answer, *, words: list[str]) -> float:
    """The share of `words` (or phrases) that stand in the answer: ["oak", "red"], "It is oak." -> 0.5."""
    said = _spaced(answer.text)
    return sum(_spaced(word) in said for word in words) / len(words) if words else 1.0


def says_none(example: Example, answer: Answer, *, words: list[str]) -> float:
    """1 when none of `words` (or phrases) stands in the answer, such as a competitor's name."""
    said = _spaced(answer.text)
    return float(not any(_spaced(word) in said for word in words))


def bullet_count(
    example: Example, answer: Answer, *, at_least: NonNegativeInt = 1, at_most: NonNegativeInt | None = None
) -> float:
    """1 when the answer has at_least to at_most lines that begin with *, - or a number and a full stop."""
    count = len(re.findall(r"^\s*(?:[*•-]|\d+[.)])\s+\S", answer.text, re.MULTILINE))
    return float(count >= at_least and (at_most is None or count <= at_most))


def _spaced(text: str) -> str:
    """The words in one case between single spaces, so that only whole words match."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return f" {' '.join(words)} "
