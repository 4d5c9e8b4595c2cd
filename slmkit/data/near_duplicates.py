"""Finds rows that nearly repeat an earlier row: MinHash brings likely pairs together, word edits decide.

MinHash (Broder 1997, https://doi.org/10.1109/SEQUEN.1997.666900): the least hash over the words and word pairs of a
text agrees between two texts as often as these sets overlap (Jaccard J). Bands of 4 minima that all agree make a pair:
with 32 bands a pair is looked at with probability 1 - (1 - J^4)^32: 0.99 at J = 0.6, 0.05 at J = 0.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from slmkit.data.near import edits_between
from slmkit.data.normalise import normalise

_BANDS, _ROWS = 32, 4
_BATCH_ROWS = 2048


def near_duplicates(texts: Sequence[str], *, on_rows: Callable[[int], None] | None = None) -> dict[int, int]:
    """Index of each text that nearly repeats an earlier one -> index of that one, which repeats none itself.

    A text of fewer than 8 words is only a duplicate of its equal. Memory: 100 bytes a text and the words of two.
    """
    import numpy as np

    if len(texts) < 2:
        return {}
    bands = np.empty((len(texts), _BANDS), np.uint32)

    def fill(start: int) -> int:
        batch = texts[start : start + _BATCH_ROWS]
        bands[start : start + len(batch)] = _band_hashes(batch)
        return len(batch)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy lets go of the interpreter lock
        for count in pool.map(fill, range(0, len(texts), _BATCH_ROWS)):
            if on_rows:
                on_rows(count)
    repeats: dict[int, int] = {}
    words: dict[int, list[str]] = {}
    for i, earlier in _pairs(bands):
        if i in repeats or earlier in repeats:
            continue
        for j in (i, earlier):
            if j not in words:
                words[j] = normalise(texts[j]).split()
        if edits_between(words[i], words[earlier]) is not None:
            repeats[i] = earlier
            words.pop(i)
    return repeats


def _band_hashes(texts: Sequence[str]) -> Any:  # (N, bands) of uint32
    import numpy as np

    hashes: list[int] = []
    starts = []
    for text in texts:
        words = [_hash_word(word) for word in normalise(text).split()] or [0]
        starts.append(len(hashes))
        hashes += words
        hashes += [(a * 0x01000193 ^ b) & 0xFFFFFFFF for a, b in pairwise(words)]
    grams = np.array(hashes, np.uint32)
    factors, terms = np.random.default_rng(7).integers(1, 2**32, (2, _BANDS * _ROWS), dtype=np.uint32)
    mixed = np.empty_like(grams)
    bands = np.zeros((len(texts), _BANDS), np.uint32)
    for i in range(_BANDS * _ROWS):
        np.multiply(grams, factors[i] | np.uint32(1), out=mixed)
        mixed += terms[i]
        band = bands[:, i // _ROWS]
        band *= np.uint32(0x85EBCA6B)  # an odd number: the minima are mixed in their order
        band ^= np.minimum.reduceat(mixed, starts)
    return bands


def _hash_word(word: str) -> int:
    """32 bits of a word, the same on every machine and in every process."""
    import zlib

    return zlib.crc32(word.encode())


def _pairs(bands: Any) -> list[tuple[int, int]]:  # bands: (N, bands) of uint32
    """(later, earlier) for each text and the first of every bucket it falls into: linear, however full the buckets."""
    import numpy as np

    found = []
    for band in range(bands.shape[1]):
        order = np.argsort(bands[:, band], kind="stable")
        values = bands[order, band]
        is_first = np.concatenate([[True], values[1:] != values[:-1]])
        firsts = order[is_first][np.cumsum(is_first) - 1]
        others = ~is_first
        found.append(np.stack([order[others], firsts[others]], axis=1))
    return [(later, earlier) for later, earlier in np.unique(np.concatenate(found), axis=0).tolist()]
