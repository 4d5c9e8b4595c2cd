"""Which rows are kept for validation: by content, so that a row never changes sides when the data grows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from slmkit.text.identity import text_hash

T = TypeVar("T")


def split(rows: Sequence[T], *, validation_size: float, key: Callable[[T], str]) -> tuple[list[T], list[T]]:
    """(train, validation), about validation_size of the distinct keys in the latter.

    Rows of one key go together: pass the input text, or the name of a group. The side follows from the hash of the
    key alone. Of a set too small to have any row under that hash, the one with the lowest is kept for validation.
    """
    if not rows or validation_size <= 0:
        return list(rows), []
    shares = [hash_share(key(row)) for row in rows]
    limit = validation_size if min(shares) < validation_size else math.nextafter(min(shares), 1)
    if max(shares) < limit:  # every row would be kept away from training
        return list(rows), []
    train = [row for row, share in zip(rows, shares, strict=True) if share >= limit]
    return train, [row for row, share in zip(rows, shares, strict=True) if share < limit]


def hash_share(key: str, *, salt: str = "validation") -> float:
    """A number in [0, 1) that the normalised key and the salt alone decide; salts make independent choices."""
    return int(text_hash(salt, key), 16) / 16**16
