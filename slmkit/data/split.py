"""Splits rows into training and validation by a hash of their content, so that no row changes sides as data grows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from slmkit.text.identity import loose_hash

T = TypeVar("T")


def split(rows: Sequence[T], *, validation_size: float, key: Callable[[T], str]) -> tuple[list[T], list[T]]:
    """(train, validation), with about validation_size of the distinct keys in validation.

    Rows with the same key stay together: pass the input text or a group name. Only the hash of the key decides the
    side. In a set too small for any hash to qualify, the row with the lowest hash becomes validation.
    """
    if not rows or validation_size <= 0:
        return list(rows), []
    shares = [hash_share(key(row)) for row in rows]
    limit = validation_size if min(shares) < validation_size else math.nextafter(min(shares), 1)
    if max(shares) < limit:  # every row would become validation
        return list(rows), []
    train = [row for row, share in zip(rows, shares, strict=True) if share >= limit]
    return train, [row for row, share in zip(rows, shares, strict=True) if share < limit]


def hash_share(key: str, *, salt: str = "validation") -> float:
    """A number in [0, 1) that depends only on the key's loose form and the salt; different salts are independent."""
    return int(loose_hash(salt, key), 16) / 16**16
