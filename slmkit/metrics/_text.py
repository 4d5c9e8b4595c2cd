"""Brings texts into one form before metrics compare them."""

from __future__ import annotations

import re
import unicodedata

from slmkit.types import Example

_FINAL = " .,;:!?。，、؟؛۔।॥"
_WRAPPERS = {'"': '"', "'": "'", "`": "`", "*": "*", "«": "»", "‹": "›", "「": "」", "『": "』"}
_VARIANTS = {"'": "‘’‛ʼ′", '"': "“”„‟", "-": "‐‑‒–−", "/": "⁄∕"}
# Soft hyphens, zero-width spaces, marks of direction, the stroke that only widens an Arabic word, and selectors of a
# glyph: ❤ and ❤️.
_UNSEEN = "\u00ad\u061c\u0640\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_SELECTORS = re.compile("[\ufe00-\ufe0f]")
_PLAIN = {ord(char): plain for plain, chars in (_VARIANTS | {"": _UNSEEN}).items() for char in chars}
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_LOWERED = re.compile(r"(?<=\d)[₀₁₂₃₄₅₆₇₈₉]+")
_MIXED = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")


def compatible(text: str) -> str:
    """The text with one spelling per character: NFKC, straight quotes, one hyphen, no invisible characters.

    NFKC alone would make 5² and 101₂ the numbers 52 and 1012, and 1½ the fraction 11/2: they become 5^2, 101_2, 1 1/2.
    The dotted İ is an I, whose lower case is i; the dotless ı is another letter.
    """
    if text.isascii():
        return text
    text = _RAISED.sub(r"^\g<0>", _MIXED.sub(" ", _LOWERED.sub(r"_\g<0>", text)))
    text = unicodedata.normalize("NFKC", _SELECTORS.sub("", text)).translate(_PLAIN)
    return text.replace("İ", "I").replace("i\u0307", "i")


def normalised(text: str) -> str:
    """The text in lower case, single-spaced, without quotes around it and final punctuation: " 'Oak.' " -> "oak".

    Quotes and stars go in pairs, so the grades A and A* stay two, as do 5' and 5". A text without a letter or a digit,
    such as *, **, :) or "", keeps every sign (in NFC, without outer spaces): it equals only itself.
    """
    plain = compatible(text).casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKC", plain)
    plain = _unwrapped(" ".join(plain.split()))
    return plain if any(map(str.isalnum, plain)) else _SELECTORS.sub("", unicodedata.normalize("NFC", text)).strip()


def accepted(example: Example) -> tuple[str, ...]:
    """The target and its aliases. An empty alias beside a target is none: no empty answer is right for it."""
    aliases = (alias for alias in example.aliases if alias.strip() or not example.target.strip())
    return (example.target, *aliases)


def _unwrapped(text: str) -> str:
    while True:
        inner = text.rstrip(_FINAL)
        if len(inner) > 1 and inner[-1] == _WRAPPERS.get(inner[0]):
            inner = inner[1:-1].strip()
        if inner == text:
            return text
        text = inner
