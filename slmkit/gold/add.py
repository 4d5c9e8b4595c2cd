"""Adds examples to a frozen gold set and freezes it again, without duplicates, leaks and unknown labels.

The card gets the new hash and keeps the old one in its history: only scores on the shared examples are comparable.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Unpack

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.read_canonical import read_canonical
from slmkit.errors import RefusedError, SlmkitError
from slmkit.files import to_yaml, write_folder_atomically
from slmkit.gold.choose import apart_ids, groups_of, in_order
from slmkit.gold.freeze import examples_of
from slmkit.gold.frozen_from import Reading, frozen_columns
from slmkit.gold.gold_set import Gold, as_lines, read_gold
from slmkit.text.identity import Conversation, Question, alike_keys, leak_key, leak_questions, questions_of
from slmkit.text.leakage import find_leaks
from slmkit.types import Example


@dataclass(frozen=True)
class Added:
    """The extended gold set, the added examples, and the rows that were not added."""

    gold: Gold
    added: list[Example]
    left_out: list[tuple[str, str]]  # reason, file:line

    @property
    def reasons(self) -> dict[str, int]:
        """The number of rows not added, by reason."""
        return dict(Counter(reason for reason, _ in self.left_out))


def add_to_gold(
    folder: Path,
    file: Path,
    *,
    data: Path | None = None,
    **given: Unpack[Reading],
) -> Added:
    """Adds the rows of `file` that are in neither the set nor the training `data`.

    Columns that are not given are those that the set was frozen with, where the file has them. Several answers to one
    question are read as they are when a set is frozen: all are right, or the question is ambiguous if they are labels.
    Raises: SlmkitError for a label that the set does not have; RefusedError if no row is new.
    """
    gold = read_gold(folder)
    found = read_canonical(file, **frozen_columns(gold, file, given))
    left_out = [(row.reason, f"{row.file}:{row.line}") for row in found.dropped]
    existing = [*gold.examples, *gold.dev]
    training = read_canonical(data, **frozen_columns(gold, data, given)).rows if data else []
    in_gold = _leaks(found.rows, existing, questions_of)  # with other tools it is a new question
    asked_in_gold = {found.rows[i].question.key: j for i, j in in_gold.items()}
    trained = {key for row in training for key in alike_keys(row.conversation)}
    in_data = {found.rows[i].question.key for i in _leaks(found.rows, training, leak_questions)}
    in_data |= {row.question.key for row in found.rows if leak_key(row) in trained}
    new = []
    for i, row in enumerate(found.rows):
        if gold.task.labels and row.target not in gold.task.labels:
            fix = f"use one of {', '.join(gold.task.labels[:8])}, or freeze a new set"
            raise SlmkitError(f"{row.target!r} is not a label of {gold.task.name}", where=row.where, fix=fix)
        if (j := in_gold.get(i, asked_in_gold.get(row.question.key))) is not None:
            earlier = existing[j]
            is_same = row.target in (earlier.target, *earlier.aliases)
            reason = "already in the gold set" if is_same else "in the gold set with a different answer"
            left_out.append((reason, row.where))
        elif row.question.key in in_data:
            left_out.append(("in the training data", row.where))
        else:
            new.append(row)
    added, repeats = examples_of(new, gold.task.kind)
    left_out += [(f"{reason} in this file", row.where) for reason, row in repeats]
    if not added:
        counts = Counter(reason for reason, _ in left_out)
        why = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
        raise RefusedError(f"no new example: {why}", where=str(file), fix="add rows that are not in the set yet")
    groups = groups_of([found], is_given=False)
    _refreeze(gold, added, file, apart=apart_ids(added, groups))
    return Added(read_gold(folder), added, left_out)


def _leaks(
    rows: Sequence[CanonicalRow],
    others: Sequence[CanonicalRow] | Sequence[Example],
    questions: Callable[[Iterable[Conversation]], list[Question]],
) -> dict[int, int]:
    """Index of each row that is alike, nearly repeats or contains one of the others -> index of that one."""
    answers = [row.target for row in rows], [other.target for other in others]
    return {leak.row: leak.gold for leak in find_leaks(questions(rows), questions(others), answers=answers)}


def _refreeze(gold: Gold, added: Sequence[Example], file: Path, *, apart: Sequence[str]) -> None:
    """Replaces the folder by one with the added examples, in one move."""
    examples = in_order([*gold.examples, *added])
    text = as_lines(examples)
    before = {"date": date.today().isoformat(), "sha256": gold.sha256, "count": len(gold.examples), "then": file.name}
    card = {
        **gold.card,
        "count": len(examples),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        **({"apart": sorted({*gold.card["apart"], *apart})} if "apart" in gold.card else {}),
        "history": [*gold.card.get("history", []), before],
    }
    write_folder_atomically(gold.folder, {"examples.jsonl": text, "card.yaml": to_yaml(card)}, replace=True)
