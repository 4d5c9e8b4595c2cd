"""Cuts texts into the words that metrics count: by Unicode, and into characters where a script writes no spaces.

Not the words of `slmkit.text.words`, which serve search: those pair characters and leave out accents and vowel marks,
and keep C++ whole, while the metrics here give the values of rouge-score and of the SQuAD script.
"""

from __future__ import annotations

import functools
import re
import string
import unicodedata
from typing import NamedTuple

from slmkit.metrics._text import compatible
from slmkit.text.words import UNSPACED, combining_marks

_ASCII = re.compile(r"[a-z0-9]+")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_SPACED = r"(?<!\d )(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?! ?\d|\w)(?:[.,]\d+)?"  # 1 234 567.5
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain_words(text: str) -> list[str]:
    """Runs of letters and digits in lower case: "Don't stop_it" -> don, t, stop, it. "黑猫" -> 黑, 猫.

    For ASCII the tokens of the rouge-score package, which drops every other character.
    """
    if text.isascii():
        return _ASCII.findall(text.lower())
    return _patterns().word.findall(compatible(text).casefold())


def squad_words(text: str) -> list[str]:
    """Words between spaces in lower case, without punctuation and English articles: "The oak-tree." -> oaktree.

    For ASCII the tokens of the SQuAD script; other punctuation goes too, and "黑猫" -> 黑, 猫, as in the MLQA script.
    """
    if text.isascii():
        return _ARTICLES.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split()
    plain = unicodedata.normalize("NFC", text).lower().translate(_punctuation())
    return _patterns().piece.findall(_ARTICLES.sub(" ", compatible(plain)))


def terms(text: str) -> list[str]:
    """Whole words as a reader sees them: "C++, not C: 2.5 of -1,080" -> c++, not, c, 2.5, of, -1,080.

    A number keeps its sign, decimals, groups, also those with spaces, fraction bar and power; a single letter keeps
    +, # and a final -. "黑猫" -> 黑, 猫.
    """
    return (_patterns().ascii_term if text.isascii() else _patterns().term).findall(_folded(text))


def has_terms(text: str, phrase: str) -> bool:
    """Whether the whole words of `phrase`, which has at least one, come in the text in this order without a gap."""
    wanted, folded = _terms_of_phrase(phrase), _folded(text)
    return all(term in folded for term in wanted) and "\n".join(["", *wanted, ""]) in "\n".join(["", *terms(text), ""])


def count_lettered_pieces(text: str) -> int:
    """What stands between spaces and has a letter or digit; "iPhone 黑猫" has 3, one per character without spaces."""
    pieces = text.split() if text.isascii() else _patterns().piece.findall(text)
    return sum(any(map(str.isalnum, piece)) for piece in pieces)


def _folded(text: str) -> str:
    return compatible(text).casefold()


_terms_of_phrase = functools.lru_cache(maxsize=4096)(terms)


class _Patterns(NamedTuple):
    word: re.Pattern[str]  # of letters and digits
    piece: re.Pattern[str]  # between spaces
    term: re.Pattern[str]  # with the signs that belong to it
    ascii_term: re.Pattern[str]


@functools.cache
def _patterns() -> _Patterns:
    # Joiners are letters in Persian and Hindi.
    marks = combining_marks() + "\U000e0100-\U000e01ef\u200c\u200d"
    character = f"[{UNSPACED}][{marks}]*"
    letter = f"[^\\W_{UNSPACED}]"
    return _Patterns(
        word=re.compile(f"{character}|{letter}(?:{letter}|[{marks}])*"),
        piece=re.compile(rf"{character}|[^\s{UNSPACED}]+"),
        term=re.compile(_term(rf"[^\W{UNSPACED}]", rf"(?:[^\W{UNSPACED}]|[{marks}])*", f"{character}|")),
        ascii_term=re.compile(_term(r"\w", r"\w*", "")),
    )


def _term(letter: str, rest: str, character: str) -> str:
    number = rf"(?:(?<![\w%)])-)?(?:(?<![\d/])\d+/\d+(?![\d/])|{_SPACED}|\d+(?:[.,:']\d+)*(?:\^-?\d+)?{rest})"
    word = rf"(?:(?<![\w.])\.(?=[^\W\d_]))?{letter}{rest}(?:\+\+|(?<=\b[^\W\d_])(?:[+#](?!\w)|-(?![\w-])))?"
    return f"(?=[-.\\w])(?:{number}|{character}{word})"


@functools.cache
def _punctuation() -> dict[int, None]:
    """Punctuation of any script, as keys of a table that removes it; of ASCII also signs such as $ and +."""
    others = (code for code in range(0x80, 0x1F000) if unicodedata.category(chr(code)).startswith("P"))
    return dict.fromkeys([*map(ord, string.punctuation), *others])
