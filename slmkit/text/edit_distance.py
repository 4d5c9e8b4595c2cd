"""Decides whether two texts are near duplicates, by the number of word edits between them.

A word edit inserts, deletes or replaces one word of the loose form. The number of edits allowed grows with the
length, because in a short question a single word can change the meaning: "change my PIN", "change my name". In a
script without spaces the loose form has characters for words: two of Chinese or Japanese, or four of Thai, Lao, Khmer
or Burmese, count as one word (see slmkit.text.words.word_spans). A word edit there changes characters side by
side, of which an odd one is not counted: 火车 -> 办公室 is one word.

    words                    1   2-7   8-13   14-17   20   40   100
    edits                    0     0      1       2    3    8    23
    with the same answer     0     1      1       2    3    8    23

False positives, as the share of training questions called near duplicates of 1,000 test questions of the same data
set: banking77 0.95%, clinc150 0.3%, gsm8k 0.01% (these differ in one word: "my statement", "my account"). Worse
alternatives: edits up to 20% of the words: 5.1%, 3.1% and 0.05%; Jaccard similarity of words or letters, at the
threshold that finds 99% of the texts with a tenth of their words changed: 13%, 7% and 0%.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from slmkit.text.identity import loose, marks
from slmkit.text.words import ALPHABETS, CJK

FEWEST_WORDS = 8  # shorter texts are near duplicates only if they are equal or have the same answer
_FEWEST_SAME = 2
_FIRST_UNSPACED = "\u0e00"  # Thai comes first
_CJK = re.compile(f"[{CJK}]")
_ALPHABETS = re.compile(f"[{ALPHABETS}]")


def edits_allowed(num_words: int, *, same_answer: bool = False) -> int:
    """The largest number of word edits between near duplicates, if the shorter one has num_words words."""
    allowed = max(1, round(num_words / 4 - 2)) if num_words >= FEWEST_WORDS else 0
    if same_answer and num_words >= _FEWEST_SAME:
        return max(1, allowed)
    return allowed


def edits_between(a: Sequence[str], b: Sequence[str], *, same_answer: bool = False) -> int | None:
    """The number of word edits between two lists of words, or None if it is above edits_allowed."""
    from rapidfuzz.distance import Levenshtein  # compares sequences of words as well as strings

    if not (_may_be_characters(a) or _may_be_characters(b)):
        allowed = edits_allowed(min(len(a), len(b)), same_answer=same_answer)
        distance = Levenshtein.distance(a, b, score_cutoff=allowed)
        return distance if distance <= allowed else None
    allowed = edits_allowed(min(num_words(a), num_words(b)), same_answer=same_answer)
    most = allowed * most_per_word(a, b)
    if Levenshtein.distance(a, b, score_cutoff=most) > most:
        return None
    edits = _words_changed(a, b)
    return edits if edits <= allowed else None


def num_words(words: Sequence[str]) -> int:
    """The length of a text in words; of scripts without spaces, several characters count as one."""
    return sum(map(_quarters, words)) // 4 if _may_be_characters(words) else len(words)


def most_per_word(*texts: Sequence[str]) -> int:
    """The most words, or characters of a script without spaces, that one word edit changes: 1, 3 or 7."""
    fewest = min((_quarters(word) for words in texts if _may_be_characters(words) for word in words), default=4)
    return 8 // fewest - 1


def is_near_duplicate(a: str, b: str) -> bool:
    """Whether two texts are alike or near duplicates, with the same digits and signs; answers are not considered."""
    return are_near(loose(a).split(), loose(b).split())


def are_near(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two lists of words are near duplicates with the same digits and signs in the same order."""
    return edits_between(a, b) is not None and marks(a) == marks(b)


def _words_changed(a: Sequence[str], b: Sequence[str]) -> int:
    """The number of words in all changed parts; one to three characters of Chinese side by side are one word."""
    from rapidfuzz.distance import Levenshtein

    changed = before = after = 0
    for part in Levenshtein.opcodes(a, b):
        if part.tag == "equal":
            changed += _in_words(before, after)
            before = after = 0
        else:
            before += sum(map(_quarters, a[part.src_start : part.src_end]))
            after += sum(map(_quarters, b[part.dest_start : part.dest_end]))
    return changed + _in_words(before, after)


def _in_words(before: int, after: int) -> int:
    return max(1, max(before, after) // 4) if before or after else 0


def _may_be_characters(words: Sequence[str]) -> bool:
    """Whether a word begins with a letter after U+0E00, as the scripts without spaces do; quick."""
    return max(words, default="") >= _FIRST_UNSPACED


@functools.lru_cache(maxsize=1 << 16)
def _quarters(word: str) -> int:
    """What a word of the loose form counts, in quarters of a word."""
    if len(word) != 1 or word < _FIRST_UNSPACED:
        return 4
    return 2 if _CJK.match(word) else 1 if _ALPHABETS.match(word) else 4
