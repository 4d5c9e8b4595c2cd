"""Finds the word that a misspelled one was meant to be, among known words.

Known words are also looked up with one letter left out (the symmetric deletes of SymSpell, Garbe 2012,
https://github.com/wolfgarbe/SymSpell), so that the time per word does not depend on how many are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from slmkit.text.plain_letters import without_accents

FEWEST_LETTERS = 5  # of a word that is corrected: "from" and "form" are two words
_MOST_KEPT = 1 << 19  # unknown words that are remembered


class KnownWords(dict[str, int]):
    """The number of each known word; of an unknown one, that of the word it was meant to be, or 0.

    corrected: unknown word -> known word, with the words that were looked up. accented: those of them that differ in
    accents alone.
    """

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__()
        self.corrected: dict[str, str] = {}
        self.accented: set[str] = set()
        self._shorter: dict[str, list[str]] = defaultdict(list)
        self._plain: dict[str, str] = {}
        for word in words:
            if word not in self.keys():
                self[word] = len(self) + 1
                self._plain.setdefault(without_accents(word), word)
                if len(word) >= FEWEST_LETTERS and word.isalpha():
                    for shorter in _with_shorter(word):
                        self._shorter[shorter].append(word)
        self._has_accents = self._plain.keys() != self.keys()

    def __missing__(self, word: str) -> int:
        meant = None
        if self._has_accents or not word.isascii():
            meant = self._plain.get(without_accents(word))
        if meant is not None:
            self.accented.add(word)
        elif len(word) >= FEWEST_LETTERS and not self._shorter.keys().isdisjoint(forms := _with_shorter(word)):
            meant = self._meant(word, forms)
        number = 0
        if meant is not None:
            self.corrected[word] = meant
            number = self[meant]
        if len(self) < _MOST_KEPT:
            self[word] = number
        return number

    def _meant(self, word: str, forms: Sequence[str]) -> str | None:
        from rapidfuzz.distance import OSA

        known = (one for form in forms for one in self._shorter.get(form, ()))
        return next((one for one in known if OSA.distance(word, one, score_cutoff=1) <= 1), None)


def _with_shorter(word: str) -> list[str]:
    return [word, *[word[:i] + word[i + 1 :] for i in range(len(word))]]
