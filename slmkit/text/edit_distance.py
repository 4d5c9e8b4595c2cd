"""When two texts are so alike that one may not be trained on while the other is tested, or that one is enough.

Measured by word edits (words put in, left out or replaced) in the normalised texts. The number allowed grows with the
length, since in a short question one word is the question: "change my PIN" is not "change my name".

    words                    1   2-7   8-13   14-17   20   40   100
    edits                    0     0      1       2    3    8    23
    with the same answer     0     1      1       2    3    8    23

How often training questions that nobody leaked are called alike to 1,000 test questions of the same set: banking77
0.95 %, clinc150 0.3 %, gsm8k 0.01 % (they differ in a word: "my statement", "my account"). Tried and left: edits up to
20 % of the words call 5.1 %, 3.1 % and 0.05 % alike; Jaccard similarity of words or letters, at the threshold that
finds 99 % of texts with a tenth of their words changed, 13 %, 7 % and 0 %.
"""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.text.identity import normalise

FEWEST_WORDS = 8  # shorter texts are alike only when they are equal, or have the same answer
_FEWEST_SAME = 2


def edits_allowed(num_words: int, *, same_answer: bool = False) -> int:
    """How many word edits leave a text of this length the same text."""
    allowed = max(1, round(num_words / 4 - 2)) if num_words >= FEWEST_WORDS else 0
    if same_answer and num_words >= _FEWEST_SAME:
        return max(1, allowed)
    return allowed


def edits_between(a: Sequence[str], b: Sequence[str], *, same_answer: bool = False) -> int | None:
    """The word edits from one text to the other, or None when these are more than the shorter one allows."""
    from rapidfuzz.distance import Levenshtein  # compares sequences of words as it does letters

    allowed = edits_allowed(min(len(a), len(b)), same_answer=same_answer)
    distance = Levenshtein.distance(a, b, score_cutoff=allowed)
    return distance if distance <= allowed else None


def alike(a: str, b: str) -> bool:
    """Whether two texts are nearly the same."""
    return edits_between(normalise(a).split(), normalise(b).split()) is not None
