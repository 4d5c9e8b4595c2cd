"""Finds rows that stand in gold: the same, nearly the same, or with a gold question inside them.

The search misses nothing that near.py calls alike without looking at answers. A text of n words with k edits keeps one
of k + 1 stretches of n / (k + 1) words whole, and the edits allowed leave that at four words or more: so it is enough
to compare the rows that share four words in a row with a gold text. An edit touches at most four such stretches, so of
the s a gold text has, s - 4 k must be there, which leaves few rows to compare. Short texts one edit apart become equal
when one word is left out of each. The further edits allowed to a same answer are found where four words stay in a row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from slmkit.text.edit_distance import FEWEST_WORDS, edits_allowed, edits_between
from slmkit.text.identity import normalise

_STRETCH = 4  # words
_BATCH_ROWS = 4096
_PATTERN_ROWS = 2  # more rows than these near one gold text follow a pattern
_MOST_COMMON = 0.25  # of the gold texts may share an answer that still tells two texts are the same


@dataclass(frozen=True)
class Leak:
    """A row and the gold text it holds."""

    row: int  # index into the rows
    gold: int  # index into the gold texts
    kind: Literal["exact", "near", "contains"]
    edits: int = 0
    same_answer: bool = False


def find_leaks(
    rows: Sequence[str],
    gold: Sequence[str],
    *,
    answers: tuple[Sequence[str], Sequence[str]] | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> list[Leak]:
    """The rows that hold a gold text, each with the gold text that is most like it; on_rows hears of rows done.

    `answers` of the rows and of the gold texts: where they agree, a text may differ more and still be the same. Where
    many rows are near one gold text, the data are written by a pattern ("weather in Ulm", "weather in Bonn"), and only
    rows that are equal, or long and of the same answer, are leaks.
    Time is linear in the rows; memory holds the gold set and one batch.
    """
    if not gold:
        return []
    row_answers, gold_answers = answers or ([], [])
    index = _Index([normalise(text) for text in gold], _telling([normalise(answer) for answer in gold_answers]))
    leaks = []
    for start in range(0, len(rows), _BATCH_ROWS):
        batch = [normalise(text) for text in rows[start : start + _BATCH_ROWS]]
        leaks += index.leaks(batch, [normalise(a) for a in row_answers[start : start + _BATCH_ROWS]], start)
        if on_rows:
            on_rows(len(batch))
    return index.without_patterns(leaks) if answers else leaks


class _Index:
    """Gold texts by their whole, by each four words in a row, and short ones by all but one of their words."""

    def __init__(self, texts: list[str], answers: list[str]) -> None:
        import numpy as np

        self.texts, self.answers = texts, answers
        self.words = [text.split() for text in texts]
        self.lengths = np.array([len(words) for words in self.words])
        self.allowed = np.array([edits_allowed(len(words), same_answer=bool(answers)) for words in self.words])
        self.exact = {text: i for i, text in reversed(list(enumerate(texts)))}
        self.ids: dict[str, int] = {}  # 1, 2, …; 0 is any word that gold does not have
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
            if len(words) >= (_STRETCH if answers else FEWEST_WORDS):
                for key in set(self._keys([[*map(self.ids.__getitem__, words)]])[0].tolist()):
                    holders[key].append(i)
        self.least = np.ones(len(texts), np.int64)  # stretches that a row must share with each gold text
        for i, shared in Counter(i for held in holders.values() for i in held).items():
            self.least[i] = max(1, shared - _STRETCH * int(self.allowed[i]))
        self.stretches = np.array(sorted(holders), dtype=np.uint64)
        counts = [len(holders[key]) for key in self.stretches.tolist()]
        self.first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.holders = np.array([i for key in self.stretches.tolist() for i in holders[key]], dtype=np.int64)

    def leaks(self, batch: list[str], answers: list[str], start: int) -> list[Leak]:
        found: dict[int, Leak] = {}
        for i, text in enumerate(batch):
            if text in self.exact:
                found[i] = Leak(start + i, self.exact[text], "exact")
        words = [text.split() for text in batch]
        for i, j in [*self._candidates(words), *self._short_candidates(words)]:
            same_answer = bool(answers) and answers[i] == self.answers[j] != ""
            edits = edits_between(self.words[j], words[i], same_answer=same_answer)
            known = found.get(i)
            if edits is not None and (known is None or known.kind == "contains" or edits < known.edits):
                found[i] = Leak(start + i, j, "near" if edits else "exact", edits, same_answer)
            elif (
                known is None
                and len(self.words[j]) >= (_STRETCH if same_answer else FEWEST_WORDS)
                and f" {self.texts[j]} " in f" {batch[i]} "
            ):
                found[i] = Leak(start + i, j, "contains", same_answer=same_answer)
        return [found[i] for i in sorted(found)]

    def without_patterns(self, leaks: list[Leak]) -> list[Leak]:
        """Without rows near a gold text, or around a short one, that are too many to be anything but a pattern."""

        def is_sure(leak: Leak) -> bool:
            num_words = len(self.words[leak.gold])
            if leak.kind == "contains":
                return num_words >= FEWEST_WORDS
            return leak.kind == "exact" or (leak.same_answer and leak.edits <= edits_allowed(num_words))

        unsure = Counter(leak.gold for leak in leaks if not is_sure(leak))
        return [leak for leak in leaks if is_sure(leak) or unsure[leak.gold] <= _PATTERN_ROWS]

    def _short_candidates(self, words: list[list[str]]) -> Iterator[tuple[int, int]]:
        """Pairs of short texts that one word put in, left out or replaced makes equal; for these answers decide."""
        if self.answers:
            for i, row in enumerate(words):
                if len(row) <= FEWEST_WORDS:
                    near = {j for shorter in _all_but_one(row) for j in self.short.get(shorter, ())}
                    yield from ((i, j) for j in near)

    def _candidates(self, words: list[list[str]]) -> list[tuple[int, int]]:
        """Pairs (row of the batch, gold text) that share a stretch and are, by their lengths, alike or contained."""
        import numpy as np

        if not len(self.stretches):
            return []
        keys, owners = self._keys([[self.ids.get(word, 0) for word in row] for row in words])
        at = np.searchsorted(self.stretches, keys).clip(max=len(self.stretches) - 1)
        hits = self.stretches[at] == keys
        at, owners = np.unique(np.stack([at[hits], owners[hits]]), axis=1)  # each stretch once a row
        counts = self.first[at + 1] - self.first[at]
        rows = np.repeat(owners, counts)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        golds = self.holders[np.repeat(self.first[at], counts) + offsets]
        pairs, shared = np.unique(rows * len(self.texts) + golds, return_counts=True)
        rows, golds = pairs // len(self.texts), pairs % len(self.texts)
        lengths = np.array([len(row) for row in words])[rows]
        possible = (shared >= self.least[golds]) & (lengths >= self.lengths[golds] - self.allowed[golds])
        return list(zip(rows[possible].tolist(), golds[possible].tolist(), strict=True))

    @staticmethod
    def _keys(rows: list[list[int]]) -> tuple[Any, Any]:
        """A number for each four known words in a row, and the row it stands in."""
        import numpy as np

        lengths = np.array([len(row) for row in rows])
        ids = np.fromiter((i for row in rows for i in row), dtype=np.uint64, count=int(lengths.sum()))
        owners = np.repeat(np.arange(len(rows)), lengths)
        if len(ids) < _STRETCH:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        parts = [ids[i : len(ids) - _STRETCH + 1 + i] for i in range(_STRETCH)]
        whole = owners[: len(parts[0])] == owners[_STRETCH - 1 :]
        for part in parts:
            whole &= part > 0
        keys = np.zeros(len(parts[0]), np.uint64)
        for part in parts:
            keys = keys * np.uint64(0x9E3779B97F4A7C15) + part  # wraps: a hash; equal keys are compared word by word
        return keys[whole], owners[: len(keys)][whole]


def _telling(answers: list[str]) -> list[str]:
    """The answers, "" for those so common that sharing them says nothing: "ham" of ham and spam."""
    counts = Counter(answers)
    return [answer if counts[answer] <= max(1, len(answers) * _MOST_COMMON) else "" for answer in answers]


def _all_but_one(words: list[str]) -> set[tuple[str, ...]]:
    """The words, whole and without each one of them."""
    return {tuple(words), *(tuple(words[:i] + words[i + 1 :]) for i in range(len(words)))}
