"""Finds gold texts in batches of rows: alike, near, contained, or likely to be changed by a slip.

Without answers, the search is exact: it finds every near duplicate in the sense of edit_distance.py. After k edits, a
text of n words still has a run of n / (k + 1) unchanged words, and the edits allowed keep that at four or more, so it
is enough to compare rows that share a four-word sequence (a 4-gram) with a gold text. An edit changes at most four
4-grams, so a near duplicate shares at least s - 4 k of the s 4-grams of a gold text, which leaves few rows to compare.
Short texts one edit apart become equal when one word is removed from each. The additional edits allowed to texts with
the same answer are found only if a 4-gram is unchanged. In scripts without spaces the items
of a 4-gram are characters, of which one edit changes up to 3 or 7. A word that no gold text has counts as the one it
was meant to be in the 4-grams (see misspelled.py); three misspelled words are one edit. HTML tags and marks of
Markdown inside a text are ignored.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

from slmkit.text.changed_question import changes_question
from slmkit.text.edit_distance import FEWEST_WORDS, edits_allowed, edits_between, most_per_word, num_words
from slmkit.text.identity import Question, loose, marks, without_marks
from slmkit.text.listed_options import listed_options
from slmkit.text.markup import has_markup, without_markup
from slmkit.text.misspelled import KnownWords
from slmkit.text.plain_letters import figures, plain_forms, plain_letters
from slmkit.text.slightly_changed import cores, is_misspelled, joined

_GRAM = 4  # words
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_PATTERN_ROWS = 2  # if more rows than this match one gold text, they follow a pattern
_FEWEST_LONG = 20  # words; in a shorter text, one other word can be another question
_TYPOS_PER_EDIT = 3
_MOST_COMMON = 0.25  # an answer shared by more of the gold texts does not show that two texts are the same


@dataclass(frozen=True)
class Leak:
    """A row and the gold text that it leaks.

    exact: alike. numbers: alike but for these. word: near, but another word may change what is asked. asked: before
    the last turn, or after another system turn. quoted: in its answer, or in a turn before the last one.
    """

    row: int  # index into the rows
    gold: int  # index into the gold texts
    kind: Literal["exact", "near", "contains", "numbers", "word", "asked", "quoted"]
    edits: int = 0
    same_answer: bool = False
    is_doubtful: bool = False  # it may ask something else, so it is reported and not dropped
    is_changed: bool = False  # another word has changed its answer too


class LeakIndex:
    """Gold texts indexed by their full text, by their 4-grams and, if short, by all but one of their words.

    answers: those of the gold texts, or none. with_doubtful: also the short texts that are only to be reported; these
    need answers.
    """

    def __init__(self, gold: Sequence[Question], answers: Sequence[str], *, with_doubtful: bool) -> None:
        import numpy as np

        exact = [loose(question.text) for question in gold]
        texts = [loose(without_markup(question.text)) for question in gold]
        rests = [question.rest for question in gold]
        self.texts, self.rests = texts, rests
        self.said = answers
        self.answers = answers = _distinctive([loose(answer) for answer in answers])
        self.words = [text.split() for text in texts]
        self.lengths = np.array([len(words) for words in self.words])
        self.allowed = np.array([edits_allowed(num_words(words), same_answer=bool(answers)) for words in self.words])
        per_edit = np.array([most_per_word(words) for words in self.words])  # items of a text
        self.shortest = self.lengths - self.allowed * per_edit  # rows that can be near duplicates
        self.exact = {(text, rests[i]): i for i, text in reversed(list(enumerate(exact)))}
        self.plain = {(form, rests[i]): i for i, text in enumerate(texts) for form in plain_forms(text)}
        self.numbered = {(_NUMBER.sub("0", text), rests[i]): i for i, text in enumerate(texts) if _NUMBER.search(text)}
        self.listed = [listed_options(question.text) for question in gold]
        self.options = {(listed.key, rests[i]): i for i, listed in enumerate(self.listed) if listed}
        num_each = map(num_words, self.words) if with_doubtful and answers else ()
        short = [i for i, length in enumerate(num_each) if length < FEWEST_WORDS]
        self.cores = {(texts[i], rests[i]): i for i in short}
        self.joined = {(joined(texts[i]), rests[i]): i for i in short}
        self.longest = max((len(self.words[i]) for i in short), default=0) + 8
        self.ids = KnownWords(chain.from_iterable(self.words))  # 1, 2, …; 0 is any word of no gold text
        self.short: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, words in enumerate(self.words):
            if answers and len(words) < FEWEST_WORDS:
                for shorter in _all_but_one(words):
                    self.short[shorter].append(i)
        holders: dict[int, list[int]] = defaultdict(list)
        for i, words in enumerate(self.words):
            if len(words) >= (_GRAM if answers else FEWEST_WORDS):
                for key in set(self._keys([words])[0].tolist()):
                    holders[key].append(i)
        self.least = np.ones(len(texts), np.int64)  # 4-grams that a row must share with each gold text
        for i, shared in Counter(i for held in holders.values() for i in held).items():
            self.least[i] = max(1, shared - int(self.allowed[i] * (per_edit[i] + _GRAM - 1)))
        self.grams = np.array(sorted(holders), dtype=np.uint64)
        counts = [len(holders[key]) for key in self.grams.tolist()]
        self.first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.holders = np.array([i for key in self.grams.tolist() for i in holders[key]], dtype=np.int64)

    def leaks(self, batch: Sequence[Question], answers: Sequence[str], start: int) -> list[Leak]:
        """The leaks of some rows; answers: those of the rows, or none; start: the index of the first row."""
        exact = [loose(question.text) for question in batch]
        texts = [
            loose(without_markup(question.text)) if has_markup(question.text) else text
            for question, text in zip(batch, exact, strict=True)
        ]
        words = [text.split() for text in texts]
        found: dict[int, Leak] = {}
        for i, (text, (_, rest)) in enumerate(zip(texts, batch, strict=True)):
            if (j := self.exact.get((exact[i], rest))) is not None:
                found[i] = Leak(start + i, j, "exact")
            elif (leak := self._written_otherwise(batch[i], text, i, answers, start)) is not None:
                found[i] = leak
            elif self.numbered and (j := self.numbered.get((_NUMBER.sub("0", text), rest))) is not None:
                found[i] = Leak(start + i, j, "numbers", is_doubtful=True)
            elif self.cores and len(words[i]) <= self.longest and (j := self._core(text, words[i], rest)) is not None:
                found[i] = Leak(start + i, j, "near", 1, is_doubtful=True)
        for i, j in [*self._candidates(words), *self._short_candidates(words)]:
            if batch[i].rest != self.rests[j]:
                continue
            known = found.get(i)
            if known and known.kind == "numbers" and without_marks(words[i]) == without_marks(self.words[j]):
                continue
            if known and (known.kind == "exact" or (known.kind == "near" and known.edits == 0 and known.gold == j)):
                continue
            leak = self._compared(words[i], texts[i], j, answers[i] if answers else None, start + i)
            if leak and (known is None or _more_certain(leak, known)):
                found[i] = leak
        return [found[i] for i in sorted(found)]

    def _compared(self, words: list[str], text: str, j: int, answer: str | None, row: int) -> Leak | None:
        """What a text is to a gold text that shares some of its words."""
        said = "" if answer is None else loose(answer)
        same_answer = bool(self.answers) and self.answers[j] != "" and said == self.answers[j]
        length = num_words(self.words[j])
        edits = self._edits(words, j, same_answer=same_answer)
        is_inside = f" {self.texts[j]} " in f" {text} "
        if edits is not None:
            is_changed = (
                bool(self.answers and edits)
                and said != loose(self.said[j])
                and not (is_inside and length >= FEWEST_WORDS)
                and changes_question(self.words[j], words)
            )
            if is_changed and length < _FEWEST_LONG:
                return Leak(row, j, "word", edits, is_doubtful=True, is_changed=True)
            kind: Literal["contains", "near"] = "contains" if edits and is_inside and length < FEWEST_WORDS else "near"
            return Leak(row, j, kind, edits, same_answer, is_changed=is_changed)
        if is_inside and (len(self.words[j]) >= _GRAM if same_answer else length >= FEWEST_WORDS):
            return Leak(row, j, "contains", same_answer=same_answer)
        if self.cores and is_misspelled(words, self.words[j]):
            return Leak(row, j, "near", 1, is_doubtful=True)
        return None

    def _edits(self, words: list[str], j: int, *, same_answer: bool) -> int | None:
        """The word edits of a near duplicate; misspelled words count as the gold text's, three of them as an edit."""
        gold = self.words[j]
        edits = edits_between(gold, words, same_answer=same_answer)
        corrected = self.ids.corrected
        if edits is not None or corrected.keys().isdisjoint(words):
            return edits
        meant = [corrected.get(word, word) for word in words]
        if (edits := edits_between(gold, meant, same_answer=same_answer)) is None:
            return None
        accented = self.ids.accented
        typos = sum(word in corrected and word not in accented for word in words)
        edits += -(-typos // _TYPOS_PER_EDIT)
        return edits if edits <= edits_allowed(min(num_words(gold), len(words)), same_answer=same_answer) else None

    def _written_otherwise(self, row: Question, text: str, i: int, answers: Sequence[str], start: int) -> Leak | None:
        """A gold text with other marks, accents or spaces, or its options in another order.

        If the answers differ, it is doubtful; with eight or more words, only options in another order are.
        """
        if self.options and (listed := listed_options(row.text)):
            j = self.options.get((listed.key, row.rest))
            of_gold = None if j is None else self.listed[j]
            if j is not None and of_gold:
                same = bool(answers) and loose(listed.chosen(answers[i])) == loose(of_gold.chosen(self.said[j]))
                return Leak(start + i, j, "near", 0, same, is_doubtful=bool(answers) and not same)
        j = self.plain.get((plain_letters(text), row.rest))
        if j is None and not text.isascii():
            j = next(
                (self.plain[form, row.rest] for form in plain_forms(text) if (form, row.rest) in self.plain), None
            )
        if j is None or (text != self.texts[j] and figures(text) != figures(self.texts[j])):
            return None
        same = bool(answers) and loose(answers[i]) == loose(self.said[j])
        is_short = num_words(self.words[j]) < FEWEST_WORDS
        if is_short and not answers and text != self.texts[j]:
            return None
        return Leak(start + i, j, "near", 0, same, is_doubtful=bool(answers) and not same and is_short)

    def _core(self, text: str, words: list[str], rest: str) -> int | None:
        """A short gold text that differs from this one by its spaces, or by words in front of it or behind it."""
        j = self.joined.get((joined(text), rest))
        if j is not None and marks(words) == marks(self.words[j]):
            return j
        return next((self.cores[core, rest] for core in cores(words) if (core, rest) in self.cores), None)

    def without_patterns(self, leaks: list[Leak]) -> list[Leak]:
        """The leaks, of which those that follow a pattern are doubtful or left out.

        They are uncertain, and too many for one gold text: short texts around a gold text, and texts in which another
        word changes the answer. Short texts with another word are left out: these ask something else.
        """

        def is_certain(leak: Leak) -> bool:
            if leak.is_doubtful or leak.kind == "exact" or (leak.kind == "near" and leak.edits == 0):
                return True
            return num_words(self.words[leak.gold]) >= FEWEST_WORDS and not leak.is_changed

        uncertain = Counter(leak.gold for leak in leaks if not is_certain(leak))
        kept = []
        for leak in leaks:
            if is_certain(leak) or uncertain[leak.gold] <= _PATTERN_ROWS:
                kept.append(leak)
            elif leak.is_changed:
                kept.append(replace(leak, kind="word", is_doubtful=True))
            elif leak.kind == "contains":
                kept.append(replace(leak, is_doubtful=True))
        return kept

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
        keys, owners = self._keys(words)
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

    def _keys(self, rows: list[list[str]]) -> tuple[Any, Any]:
        """A hash of each 4-gram of known words, and the index of its row."""
        import numpy as np

        lengths = np.array([len(row) for row in rows])
        ids = np.fromiter(map(self.ids.__getitem__, chain.from_iterable(rows)), np.uint64, int(lengths.sum()))
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


def _more_certain(leak: Leak, known: Leak) -> bool:
    if leak.is_doubtful != known.is_doubtful:
        return known.is_doubtful
    return not leak.is_doubtful and leak.kind == "near" and leak.edits < known.edits


def _distinctive(answers: list[str]) -> list[str]:
    """The answers, with "" for those too common to be evidence: "ham" of ham and spam."""
    counts = Counter(answers)
    return [answer if counts[answer] <= max(1, len(answers) * _MOST_COMMON) else "" for answer in answers]


def _all_but_one(words: list[str]) -> set[tuple[str, ...]]:
    """The words, and the words without each one of them."""
    return {tuple(words), *(tuple(words[:i] + words[i + 1 :]) for i in range(len(words)))}
