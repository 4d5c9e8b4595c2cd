"""Writes a loose text in plain letters without spaces, for texts that differ in accents, spaces and units only.

    "¿Dónde está?", "donde esta"                 dondeesta
    "die Größe ändern", "die Groesse aendern"    the second in diegroesseaendern, the first in this and in another
    "120km", "120 km"                            120km

Such texts may still ask something else ("año", "ano"), so they only suggest a leak. Simplified and traditional
characters of Chinese are not folded.
"""

from __future__ import annotations

import functools
import re
import unicodedata

_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
_FIGURES = re.compile(r"\d+(?:[.,:]\d+)*|[^\w\s]")
_OTHER_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "ħ": "h", "þ": "th"}
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_ONE_OF_TWO = re.compile("[äöüåø]")


def plain_forms(text: str) -> tuple[str, ...]:
    """The forms of a loose text that another text is compared with; two if a letter can be written as two."""
    if not _ONE_OF_TWO.search(text):
        return (plain_letters(text),)
    return plain_letters(text), plain_letters(text.translate(_TWO_LETTERS))


def plain_letters(text: str) -> str:
    """The loose text without accents on Latin letters, and without spaces."""
    return without_accents(text).replace(" ", "")


def without_accents(text: str) -> str:
    """The text without accents on Latin letters; all other letters keep their marks."""
    if text.isascii() or not _ACCENTED.search(text):
        return text
    return _ACCENTED.sub(lambda letter: _unaccented(letter[0]), text)


def figures(text: str) -> list[str]:
    """The numbers and signs of a loose text, in order, whatever is written beside them."""
    return _FIGURES.findall(text)


@functools.lru_cache(maxsize=2048)
def _unaccented(letter: str) -> str:
    return _OTHER_LETTERS.get(letter) or unicodedata.normalize("NFD", letter)[0]
