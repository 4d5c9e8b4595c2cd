"""Decides whether two texts are near duplicates, by the number of word edits between them.

A word edit inserts, deletes or replaces one word of the loose form. The number of edits allowed grows with the
length, because in a short question a single word can change the meaning: "change my PIN", "change my name". In a
script without spaces each character is a word, but two of them count as one for the length.

    words                    1   2-7   8-13   14-17   20   40   100
    edits                    0     0      1       2    3    8    23
    with the same answer     0     1      1       2    3    8    23

False positives, as the share of training questions called near duplicates of 1,000 test questions of the same data
set: banking77 0.95%, clinc150 0.3%, gsm8k 0.01% (these differ in one word: "my statement", "my account"). Worse
alternatives: edits up to 20% of the words: 5.1%, 3.1% and 0.05%; Jaccard similarity of words or letters, at the
threshold that finds 99% of the texts with a tenth of their words changed: 13%, 7% and 0%.
"""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.text.identity import loose, marks

FEWEST_WORDS = 8  # shorter texts are near duplicates only if they are equal or have the same answer
_FEWEST_SAME = 2


def edits_allowed(num_words: int, *, same_answer: bool = False) -> int:
    """The largest number of word edits between near duplicates, if the shorter one has num_words words."""
    allowed = max(1, round(num_words / 4 - 2)) if num_words >= FEWEST_WORDS else 0
    if same_answer and num_words >= _FEWEST_SAME:
        return max(1, allowed)
    return allowed


def edits_between(a: Sequence[str], b: Sequence[str], *, same_answer: bool = False) -> int | None:
    """The number of word edits between two lists of words, or None if it is above edits_allowed."""
    from rapidfuzz.distance import Levenshtein  # compares sequences of words as well as strings

    allowed = edits_allowed(min(num_words(a), num_words(b)), same_answer=same_answer)
    distance = Levenshtein.distance(a, b, score_cutoff=allowed)
    return distance if distance <= allowed else None


def num_words(words: Sequence[str]) -> int:
    """The length of a text in words; of a script without spaces, two characters count as one."""
    unspaced = sum(len(word) == 1 and word >= "\u0e00" and word.isalpha() for word in words)
    return len(words) - unspaced // 2


def is_near_duplicate(a: str, b: str) -> bool:
    """Whether two texts are alike or near duplicates, with the same digits and signs; answers are not considered."""
    return are_near(loose(a).split(), loose(b).split())


def are_near(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two lists of words are near duplicates with the same digits and signs in the same order."""
    return edits_between(a, b) is not None and marks(a) == marks(b)
