"""Finds questions inside longer texts: passages, answers, system turns.

A question of eight or more words is found anywhere in the text. A shorter one can be part of another question, so it
is found as a whole line or sentence: a heading, an entry of a list.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from slmkit.text.edit_distance import FEWEST_WORDS, num_words
from slmkit.text.identity import loose
from slmkit.text.markup import without_markup
from slmkit.text.sentences import split_sentences

FEWEST_IN_LINES = 3  # words; a shorter text is a heading as well as a question
_RAREST = 2  # words of a question by which it is found; one may have a sign beside it in the text


class Quotable:
    """Questions by their rarest words, so that most texts are only cut into words."""

    def __init__(self, questions: Sequence[str]) -> None:
        self.texts = [loose(without_markup(text)) for text in questions]
        words = [text.split() for text in self.texts]
        lengths = [num_words(one) for one in words]
        self.long = [i for i, length in enumerate(lengths) if length >= FEWEST_WORDS]
        self.short = [i for i, length in enumerate(lengths) if FEWEST_IN_LINES <= length < FEWEST_WORDS]
        self.num_too_short = len(words) - len(self.long) - len(self.short)
        counts = Counter(word for i in self.long for word in set(words[i]))
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._words = {i: frozenset(words[i]) for i in self.long}
        for i in self.long:
            spelled = self._words[i].intersection(questions[i].lower().split()) or self._words[i]
            for word in sorted(spelled, key=lambda word: (counts[word], -len(word), word))[:_RAREST]:
                self._by_word[word].append(i)
        self._fewest = min((len(self.texts[i]) for i in self.long), default=0)
        self._lines: dict[str, list[int]] = defaultdict(list)
        for i in self.short:
            self._lines[self.texts[i]].append(i)

    def inside(self, text: str) -> list[int]:
        """The questions of eight or more words that the text contains word by word."""
        if not self._by_word or len(text) < self._fewest // 2:  # spaces between the characters of some scripts
            return []
        if text.isascii() and (len(text) < self._fewest or not self._possible(text.lower().split())):
            return []  # most texts end here
        plain = loose(without_markup(text))
        padded, words = f" {plain} ", plain.split()
        possible = self._possible(words)
        return [i for i in possible if self._words[i].issubset(words) and f" {self.texts[i]} " in padded]

    def _possible(self, words: Sequence[str]) -> list[int]:
        """The questions that share a rare word with a text, and at least half of their words."""
        if self._by_word.keys().isdisjoint(words):
            return []
        found = frozenset(words)
        rare = {i for word in self._by_word.keys() & found for i in self._by_word[word]}
        return sorted(i for i in rare if 2 * len(self._words[i] & found) >= len(self._words[i]))

    def lines(self, text: str) -> list[int]:
        """The shorter questions that are a line or a sentence of the text."""
        if not self._lines:
            return []
        parts = {
            loose(without_markup(part))
            for line in text.splitlines()
            for part in (line, *split_sentences(line), *line.split(": ", 1)[1:])
        }
        return sorted(i for part in self._lines.keys() & parts for i in self._lines[part])
