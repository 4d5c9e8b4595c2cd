"""Folds letters of another script that look like those of their word: "pаssword" with a Cyrillic а.

Only words that mix scripts are changed, and only if all letters of one of the scripts have a look-alike in the other:
"сор" of Cyrillic letters stays, and so does "smsшка". Greek letters that stand for something ("μm", "αhelix") stay.
Source of the pairs: Unicode's confusables.txt, https://www.unicode.org/reports/tr39/.
"""

from __future__ import annotations

import re

_CYRILLIC, _AS_LATIN = "аеорсухіјѕһԁԛԝӏкмтвн", "aeopcyxijshdqwlkmtbh"
_GREEK, _GREEK_AS_LATIN = "οικνυ", "oikvu"
_LATIN = str.maketrans(_CYRILLIC + _GREEK, _AS_LATIN + _GREEK_AS_LATIN)
_FROM_LATIN = str.maketrans("aeopcyxkmtbh", "аеорсухкмтвн")
_OTHER = re.compile("[\u0370-\u052f]")
_WORD = re.compile(r"[^\W\d_]+")


def without_look_alikes(text: str) -> str:
    """The lower-case text with one script per word, where letters of two look the same."""
    if text.isascii() or not _OTHER.search(text):
        return text
    return _WORD.sub(lambda word: _in_one_script(word[0]), text)


def all_as_latin(text: str) -> str:
    """The lower-case text with every look-alike as a Latin letter, in whatever word."""
    return text.translate(_LATIN)


def _in_one_script(word: str) -> str:
    if not _OTHER.search(word) or not any(letter < "\u0250" for letter in word):
        return word
    latin = word.translate(_LATIN)
    if not _OTHER.search(latin):
        return latin
    other = word.translate(_FROM_LATIN)
    return word if any(letter < "\u0250" for letter in other) else other
