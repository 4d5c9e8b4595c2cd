"""Chooses gold examples from the user's own rows: by hash, with labels as frequent as in all, or by whole groups.

Of rows that belong together (slmkit/data/together.py), gold takes whole groups, so that none is in training too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from slmkit.data.read_canonical import CanonicalData
from slmkit.data.split import hash_share
from slmkit.data.together import belong_together, together_id
from slmkit.text.identity import question_of
from slmkit.types import Example


@dataclass(frozen=True)
class Groups:
    """The group or passage of each question that has one, by the question's id."""

    of: dict[str, str] = field(default_factory=dict)
    are_whole: bool = False  # gold takes whole groups

    @property
    def noun(self) -> str:
        """What they are called: passages, or groups."""
        return "passage" if all(id.startswith("passage-") for id in self.of.values()) else "group"


def groups_of(parts: Sequence[CanonicalData], *, is_given: bool) -> Groups:
    """The groups of the rows of these parts, gold's first; is_given: the user named their column."""
    rows = [row for part in parts for row in part.rows]
    ids = {row.question.key: id for row in reversed(rows) if (id := together_id(row))}
    return Groups(ids, belong_together(rows, is_given=is_given))


def choose(candidates: Sequence[Example], size: int, groups: Groups) -> list[Example]:
    """About `size` candidates, at most: whole groups if these are to stay together, otherwise the first by hash."""
    if not groups.are_whole:
        return stratified(candidates, size)
    by_group: dict[str, list[Example]] = {}
    for example in candidates:
        by_group.setdefault(groups.of.get(example.id, example.id), []).append(example)
    if len(by_group) < 2:
        return []
    order = sorted(by_group, key=lambda id: hash_share(id, salt="gold"))
    chosen: list[str] = []
    left = size
    for id in order:
        if len(by_group[id]) <= left:
            chosen.append(id)
            left -= len(by_group[id])
    return in_order(example for id in chosen for example in by_group[id])


def smallest_group(candidates: Sequence[Example], size: int, groups: Groups) -> list[Example]:
    """`size` candidates of the smallest group, for data whose groups are all larger; the others of it are not used."""
    by_group: dict[str, list[Example]] = {}
    for example in candidates:
        by_group.setdefault(groups.of.get(example.id, example.id), []).append(example)
    smallest = min(by_group.values(), key=len, default=[])
    return list(smallest[:size]) if len(by_group) > 1 else []


def apart_ids(examples: Iterable[Example], groups: Groups) -> list[str]:
    """The groups of these examples, which training rows must not have."""
    return sorted({groups.of[example.id] for example in examples if example.id in groups.of})


def without_other_passages(examples: Iterable[Example], apart: Sequence[str]) -> list[Example]:
    """The examples without the passages, of rows with the same question, that training rows may be about."""
    known = set(apart)
    return [
        replace(example, relevant=tuple(id for id in example.relevant if id in known)) if example.relevant else example
        for example in examples
    ]


def in_order(examples: Iterable[Example]) -> list[Example]:
    """The examples ordered by the hash of their questions, so that the first n are a random sample."""
    return sorted(examples, key=lambda example: hash_share(question_of(example).split_key, salt="gold"))


def stratified(candidates: Sequence[Example], size: int) -> list[Example]:
    """`size` candidates, the first by hash, with the labels of a classification as frequent as in all of them.

    Free answers rarely repeat, so they are taken in order.
    """
    by_target: dict[str, list[Example]] = {}
    for example in candidates:
        by_target.setdefault(example.target, []).append(example)
    if len(by_target) > size or size == len(candidates):
        return list(candidates[:size])
    share = size / max(1, len(candidates))
    counts = {target: max(1, math.floor(len(same) * share)) for target, same in by_target.items()}
    rests = sorted(by_target, key=lambda target: counts[target] - len(by_target[target]) * share)
    for target in itertools.cycle(rests):  # the label that lacks most comes first
        missing = size - sum(counts.values())
        if not missing:
            break
        if missing > 0 and counts[target] < len(by_target[target]):
            counts[target] += 1
        elif missing < 0 and counts[target] > 1:
            counts[target] -= 1
    return in_order(example for target, same in by_target.items() for example in same[: counts[target]])
