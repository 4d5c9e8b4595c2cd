"""Finds the rows that leak a gold set: the same or an alike question, a near duplicate, or a text that contains one.

Texts that differ in their numbers alone ("14 + 7 =", "15 + 7 =") are found too, as a kind of their own: they ask
something else, unless somebody changed the numbers of a gold question. Only the last user turn is compared loosely;
the rest of the conversation (system turn, history, tools) has to be the same.

Without answers, the search is exact: it finds every near duplicate in the sense of edit_distance.py. After k edits, a
text of n words still has a run of n / (k + 1) unchanged words, and the edits allowed keep that at four or more, so it
is enough to compare rows that share a four-word sequence (a 4-gram) with a gold text. An edit changes at most four
4-grams, so a near duplicate shares at least s - 4 k of the s 4-grams of a gold text, which leaves few rows to compare.
Short texts one edit apart become equal when one word is removed from each. The additional edits allowed to texts with
the same answer are found only if a 4-gram is unchanged. In scripts without spaces the items
of a 4-gram are characters, of which one edit changes up to 3 or 7.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from slmkit.text.edit_distance import FEWEST_WORDS, edits_allowed, edits_between, most_per_word, num_words
from slmkit.text.identity import Question, loose, without_marks

_GRAM = 4  # words
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_BATCH_ROWS = 4096
_PATTERN_ROWS = 2  # if more rows than this match one gold text, they follow a pattern
_MOST_COMMON = 0.25  # an answer shared by more of the gold texts does not show that two texts are the same


@dataclass(frozen=True)
class Leak:
    """A row and the gold text that it leaks."""

    row: int  # index into the rows
    gold: int  # index into the gold texts
    kind: Literal["exact", "near", "contains", "numbers"]  # exact: alike; numbers: alike but for these
    edits: int = 0
    same_answer: bool = False


def find_leaks(
    rows: Sequence[Question],
    gold: Sequence[Question],
    *,
    answers: tuple[Sequence[str], Sequence[str]] | None = None,
    with_numbers: bool = False,
    on_rows: Callable[[int], None] | None = None,
) -> list[Leak]:
    """The rows that leak a gold question, each with the one nearest to it; on_rows receives the rows processed.

    answers: those of the rows and of the gold questions. Texts with the same answer may differ by more edits. If many
    rows match one gold text, the data follows a pattern ("weather in Ulm", "weather in Bonn"), and only alike rows, or
    long ones with the same answer, are leaks. with_numbers: also the rows that differ in their numbers alone.
    Time is linear in the number of rows; memory is that of the gold set and one batch.
    """
    if not gold:
        return []
    row_answers, gold_answers = answers or ([], [])
    rests = [question.rest for question in gold]
    index = _Index([loose(q.text) for q in gold], _distinctive([loose(answer) for answer in gold_answers]), rests)
    leaks = []
    for start in range(0, len(rows), _BATCH_ROWS):
        batch = rows[start : start + _BATCH_ROWS]
        its_answers = [loose(answer) for answer in row_answers[start : start + _BATCH_ROWS]]
        leaks += index.leaks([loose(q.text) for q in batch], its_answers, [q.rest for q in batch], start)
        if on_rows:
            on_rows(len(batch))
    if not with_numbers:
        leaks = [leak for leak in leaks if leak.kind != "numbers"]
    return index.without_patterns(leaks) if answers else leaks


class _Index:
    """Gold texts indexed by their full text, by their 4-grams and, if short, by all but one of their words."""

    def __init__(self, texts: list[str], answers: list[str], rests: list[str]) -> None:
        import numpy as np

        self.texts, self.answers, self.rests = texts, answers, rests
        self.words = [text.split() for text in texts]
        self.lengths = np.array([len(words) for words in self.words])
        self.allowed = np.array([edits_allowed(num_words(words), same_answer=bool(answers)) for words in self.words])
        per_edit = np.array([most_per_word(words) for words in self.words])  # items of a text
        self.shortest = self.lengths - self.allowed * per_edit  # rows that can be near duplicates
        self.exact = {(text, rests[i]): i for i, text in reversed(list(enumerate(texts)))}
        self.numbered = {(_NUMBER.sub("0", text), rests[i]): i for i, text in enumerate(texts) if _NUMBER.search(text)}
        self.ids: dict[str, int] = {}  # 1, 2, …; 0 is any word that does not occur in the gold texts
        for words in self.words:
            for word in words:
                self.ids.setdefault(word, len(self.ids) + 1)
        self.short: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, words in enumerate(self.words):
            if answers and len(words) < FEWEST_WORDS:
                for shorter in _all_but_one(words):
                    self.short[shorter].append(i)
        holders: dict[int, list[int]] = defaultdict(list)
        for i, words in enumerate(self.words):
            if len(words) >= (_GRAM if answers else FEWEST_WORDS):
                for key in set(self._keys([[*map(self.ids.__getitem__, words)]])[0].tolist()):
                    holders[key].append(i)
        self.least = np.ones(len(texts), np.int64)  # 4-grams that a row must share with each gold text
        for i, shared in Counter(i for held in holders.values() for i in held).items():
            self.least[i] = max(1, shared - int(self.allowed[i] * (per_edit[i] + _GRAM - 1)))
        self.grams = np.array(sorted(holders), dtype=np.uint64)
        counts = [len(holders[key]) for key in self.grams.tolist()]
        self.first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.holders = np.array([i for key in self.grams.tolist() for i in holders[key]], dtype=np.int64)

    def leaks(self, batch: list[str], answers: list[str], rests: list[str], start: int) -> list[Leak]:
        found: dict[int, Leak] = {}
        for i, text in enumerate(batch):
            if (j := self.exact.get((text, rests[i]))) is not None:
                found[i] = Leak(start + i, j, "exact")
            elif self.numbered and (j := self.numbered.get((_NUMBER.sub("0", text), rests[i]))) is not None:
                found[i] = Leak(start + i, j, "numbers")
        words = [text.split() for text in batch]
        for i, j in [*self._candidates(words), *self._short_candidates(words)]:
            if rests[i] != self.rests[j]:
                continue
            known = found.get(i)
            if known and known.kind == "numbers" and without_marks(words[i]) == without_marks(self.words[j]):
                continue
            same_answer = bool(answers) and answers[i] == self.answers[j] != ""
            edits = edits_between(self.words[j], words[i], same_answer=same_answer)
            if edits is not None and (known is None or known.kind != "near" or edits < known.edits):
                if known is None or known.kind != "exact":
                    found[i] = Leak(start + i, j, "near", edits, same_answer)
            elif (
                known is None
                and len(self.words[j]) >= (_GRAM if same_answer else FEWEST_WORDS)
                and f" {self.texts[j]} " in f" {batch[i]} "
            ):
                found[i] = Leak(start + i, j, "contains", same_answer=same_answer)
        return [found[i] for i in sorted(found)]

    def without_patterns(self, leaks: list[Leak]) -> list[Leak]:
        """The leaks without those that follow a pattern: uncertain, and too many for one gold text."""

        def is_certain(leak: Leak) -> bool:
            length = num_words(self.words[leak.gold])
            if leak.kind == "contains":
                return length >= FEWEST_WORDS
            if leak.kind in ("exact", "numbers"):
                return True
            return leak.same_answer and leak.edits <= edits_allowed(length)

        uncertain = Counter(leak.gold for leak in leaks if not is_certain(leak))
        return [leak for leak in leaks if is_certain(leak) or uncertain[leak.gold] <= _PATTERN_ROWS]

    def _short_candidates(self, words: list[list[str]]) -> Iterator[tuple[int, int]]:
        """Pairs of short texts at most one word edit apart; their answers decide whether they are leaks."""
        if self.answers:
            for i, row in enumerate(words):
                if len(row) <= FEWEST_WORDS:
                    near = {j for shorter in _all_but_one(row) for j in self.short.get(shorter, ())}
                    yield from ((i, j) for j in near)

    def _candidates(self, words: list[list[str]]) -> list[tuple[int, int]]:
        """Pairs (row of the batch, gold text) that share enough 4-grams and have suitable lengths."""
        import numpy as np

        if not len(self.grams):
            return []
        keys, owners = self._keys([[self.ids.get(word, 0) for word in row] for row in words])
        at = np.searchsorted(self.grams, keys).clip(max=len(self.grams) - 1)
        hits = self.grams[at] == keys
        at, owners = np.unique(np.stack([at[hits], owners[hits]]), axis=1)  # each 4-gram once per row
        counts = self.first[at + 1] - self.first[at]
        rows = np.repeat(owners, counts)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        golds = self.holders[np.repeat(self.first[at], counts) + offsets]
        pairs, shared = np.unique(rows * len(self.texts) + golds, return_counts=True)
        rows, golds = pairs // len(self.texts), pairs % len(self.texts)
        lengths = np.array([len(row) for row in words])[rows]
        possible = (shared >= self.least[golds]) & (lengths >= self.shortest[golds])
        return list(zip(rows[possible].tolist(), golds[possible].tolist(), strict=True))

    @staticmethod
    def _keys(rows: list[list[int]]) -> tuple[Any, Any]:
        """A hash of each 4-gram of known words, and the index of its row."""
        import numpy as np

        lengths = np.array([len(row) for row in rows])
        ids = np.fromiter((i for row in rows for i in row), dtype=np.uint64, count=int(lengths.sum()))
        owners = np.repeat(np.arange(len(rows)), lengths)
        if len(ids) < _GRAM:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        parts = [ids[i : len(ids) - _GRAM + 1 + i] for i in range(_GRAM)]
        whole = owners[: len(parts[0])] == owners[_GRAM - 1 :]
        for part in parts:
            whole &= part > 0
        keys = np.zeros(len(parts[0]), np.uint64)
        for part in parts:
            keys = keys * np.uint64(0x9E3779B97F4A7C15) + part  # wraps; candidates are compared by words
        return keys[whole], owners[: len(keys)][whole]


def _distinctive(answers: list[str]) -> list[str]:
    """The answers, with "" for those too common to be evidence: "ham" of ham and spam."""
    counts = Counter(answers)
    return [answer if counts[answer] <= max(1, len(answers) * _MOST_COMMON) else "" for answer in answers]


def _all_but_one(words: list[str]) -> set[tuple[str, ...]]:
    """The words, and the words without each one of them."""
    return {tuple(words), *(tuple(words[:i] + words[i + 1 :]) for i in range(len(words)))}
