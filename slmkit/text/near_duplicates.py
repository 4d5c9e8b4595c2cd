"""Finds near duplicates within a list of questions: MinHash proposes pairs, word edits decide.

Only the last user turn may differ: questions with different system turns, histories or tools are not compared.

MinHash (Broder 1997, https://doi.org/10.1109/SEQUEN.1997.666900): the minimum hash over the words and word pairs of
two texts is equal with probability J, the Jaccard similarity of these sets. Two texts become a candidate pair if all
4 minima of a band are equal; with 32 bands the probability is 1 - (1 - J^4)^32: 0.99 at J = 0.6, 0.05 at J = 0.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

from slmkit.text.edit_distance import edits_between
from slmkit.text.identity import Question, loose, marks

_BANDS, _ROWS = 32, 4
_BATCH_ROWS = 2048


def near_duplicates(
    questions: Sequence[Question], *, same_marks: bool = True, on_rows: Callable[[int], None] | None = None
) -> dict[int, int]:
    """Index of each near duplicate of an earlier question -> index of that one, which is not a near duplicate itself.

    Texts of fewer than 8 words are near duplicates only if they are alike. With same_marks, texts that differ in a
    digit or a sign are not: they ask something else. Memory: 128 bytes per text.
    """
    import numpy as np

    if len(questions) < 2:
        return {}
    bands = np.empty((len(questions), _BANDS), np.uint32)

    def fill(start: int) -> int:
        batch = questions[start : start + _BATCH_ROWS]
        bands[start : start + len(batch)] = _band_hashes(batch, same_marks=same_marks)
        return len(batch)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy releases the interpreter lock
        for count in pool.map(fill, range(0, len(questions), _BATCH_ROWS)):
            if on_rows:
                on_rows(count)
    words = lru_cache(maxsize=10_000)(lambda i: loose(questions[i].text).split())
    repeats: dict[int, int] = {}
    for i, earlier in _pairs(bands):
        if i in repeats or earlier in repeats or questions[i].rest != questions[earlier].rest:
            continue
        if edits_between(words(i), words(earlier)) is None:
            continue
        if not same_marks or marks(words(i)) == marks(words(earlier)):
            repeats[i] = earlier
    return repeats


def _band_hashes(questions: Sequence[Question], *, same_marks: bool) -> Any:  # (N, bands) of uint32
    import numpy as np

    hashes: list[int] = []
    starts = []
    fixed = []  # what two near duplicates have in common: the rest of the conversation, and the digits and signs
    for question in questions:
        text = loose(question.text)
        spelled = text.split()
        is_plain = not same_marks or text.replace(" ", "").isalpha()  # most are: twice as fast as looking at each word
        fixed.append(_hash_word(" ".join([question.rest, *([] if is_plain else marks(spelled))])))
        words = [*map(_hash_word, spelled)] or [0]
        starts.append(len(hashes))
        hashes += words
        hashes += [(a * 0x01000193 ^ b) & 0xFFFFFFFF for a, b in pairwise(words)]
    grams = np.array(hashes, np.uint32)
    factors, terms = np.random.default_rng(7).integers(1, 2**32, (2, _BANDS * _ROWS), dtype=np.uint32)
    mixed = np.empty_like(grams)
    bands = np.repeat(np.array(fixed, np.uint32)[:, None], _BANDS, axis=1)
    for i in range(_BANDS * _ROWS):
        np.multiply(grams, factors[i] | np.uint32(1), out=mixed)
        mixed += terms[i]
        band = bands[:, i // _ROWS]
        band *= np.uint32(0x85EBCA6B)  # an odd constant, so that the order of the minima matters
        band ^= np.minimum.reduceat(mixed, starts)
    return bands


def _hash_word(word: str) -> int:
    """A 32-bit hash of a word, the same on every machine and in every process."""
    import zlib

    return zlib.crc32(word.encode())


def _pairs(bands: Any) -> Iterable[tuple[int, int]]:  # bands: (N, bands) of uint32
    """(later, earlier) for each text and the first text in each of its buckets: linear even if buckets are large."""
    import numpy as np

    count = len(bands)
    found = []  # later * count + earlier: one number per pair
    for band in range(bands.shape[1]):
        order = np.argsort(bands[:, band], kind="stable")
        values = bands[order, band]
        is_first = np.concatenate([[True], values[1:] != values[:-1]])
        firsts = order[is_first][np.cumsum(is_first) - 1]
        found.append((order * count + firsts)[~is_first])
    pairs = np.unique(np.concatenate(found))
    return zip((pairs // count).tolist(), (pairs % count).tolist(), strict=True)
