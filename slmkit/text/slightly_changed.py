"""Finds short texts that a slip or a greeting may have changed: a misspelled word, words run together, added words.

    "Where is my card?"    "Where is my crad?", "Whereis my card?", "Hi there, where is my card?"

A short text changed so may well ask something else ("pay by card", "pay by cord"), so these are reported, not dropped.
Digits and signs have to be the same: "C" is not "C++". Two changes at once are not found, and no wrong characters of
scripts without spaces, of which each can be a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slmkit.text.edit_distance import num_words
from slmkit.text.identity import marks

_MOST_ADDED = 2  # words, in front of the text or behind it
_FEWEST_WORDS = 3  # of a text that words are added to
_FEWEST_LETTERS = 4  # of a word that is misspelled: "on" and "in" are two words
_FIRST_UNSPACED = "\u0e00"


def is_misspelled(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether one word differs, in one letter or in the order of two, and no word is added or left out."""
    from rapidfuzz.distance import OSA

    changed = [(one, other) for one, other in zip(a, b, strict=False) if one != other]
    if len(a) != len(b) or len(changed) != 1:
        return False
    one, other = changed[0]
    if marks(changed[0]) or min(len(one), len(other)) < _FEWEST_LETTERS:
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1


def cores(words: Sequence[str]) -> Iterator[str]:
    """What the text can have been before words were added in front of it or behind it."""
    most = 4 * _MOST_ADDED if max(words, default="") >= _FIRST_UNSPACED else _MOST_ADDED  # characters, or words
    for count in range(1, min(most, len(words) - 1) + 1):
        for added, core in ((words[:count], words[count:]), (words[-count:], words[:-count])):
            if num_words(added) <= _MOST_ADDED and num_words(core) >= _FEWEST_WORDS and not marks(added):
                yield " ".join(core)


def joined(text: str) -> str:
    """The text without spaces: words that were run together or cut apart are the same in it."""
    return text.replace(" ", "")
