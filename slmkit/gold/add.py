"""Adds checked examples to a frozen gold set and freezes it anew: what repeats, leaks or has no known label stays out.

The card gets the new hash and keeps the old one in its history: scores on the two compare on the shared examples only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from slmkit.data.canonical import read_canonical
from slmkit.data.split import hash_share
from slmkit.errors import RefusedError, SlmkitError
from slmkit.files import to_yaml
from slmkit.gold.gold_set import Gold, as_lines, read_gold
from slmkit.text.identity import normalise, text_hash
from slmkit.text.leakage import find_leaks
from slmkit.types import Example


@dataclass(frozen=True)
class Added:
    """The gold set as it is now, the examples that came, and why others did not."""

    gold: Gold
    added: list[Example]
    left_out: list[tuple[str, str]]  # reason, file:line

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(reason for reason, _ in self.left_out))


def add_to_gold(
    folder: Path,
    file: Path,
    *,
    data: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
) -> Added:
    """The set with the rows of `file` that are new to it; rows that stand in the training `data` stay out too.

    Raises: SlmkitError for a label that the set does not have; RefusedError when nothing is new.
    """
    gold = read_gold(folder)
    found = read_canonical(file, text_column=text_column, label_column=label_column)
    left_out = [(row.reason, f"{row.file}:{row.line}") for row in found.dropped]
    held = [*gold.examples, *gold.dev]
    trained = read_canonical(data, text_column=text_column, label_column=label_column).rows if data else []
    texts, answers = [row.input for row in found.rows], [row.target for row in found.rows]
    in_gold = _alike(texts, answers, [e.input for e in held], [e.target for e in held])
    in_data = _alike(texts, answers, [row.input for row in trained], [row.target for row in trained])
    added: dict[str, Example] = {}
    said: dict[str, set[str]] = {}  # the answers that the file gives to each text
    for row in found.rows:
        said.setdefault(normalise(row.input), set()).add(row.target)
    for i, row in enumerate(found.rows):
        if gold.task.labels and row.target not in gold.task.labels:
            fix = f"one of {', '.join(gold.task.labels[:8])}; or freeze a new set"
            raise SlmkitError(f"{row.target!r} is no label of {gold.task.name}", where=row.where, fix=fix)
        key = normalise(row.input)
        earlier = held[in_gold[i]] if i in in_gold else added.get(key)
        if earlier is None and len(said[key]) > 1:
            left_out.append(("ambiguous: the file has another answer too", row.where))
        elif earlier is not None:
            same = row.target in (earlier.target, *earlier.aliases)
            left_out.append(("in gold already" if same else "in gold with another answer", row.where))
        elif i in in_data:
            left_out.append(("in the training data", row.where))
        else:
            added[key] = Example(text_hash(row.input), row.input, row.target, row.aliases, (), row.slice)
    if not added:
        told = ", ".join(f"{count:,} {reason}" for reason, count in Counter(reason for reason, _ in left_out).items())
        raise RefusedError(f"nothing is new to the set: {told}", where=str(file), fix="the set stays as it was")
    _refreeze(gold, list(added.values()), file)
    return Added(read_gold(folder), list(added.values()), left_out)


def _alike(
    texts: Sequence[str], answers: Sequence[str], held: Sequence[str], targets: Sequence[str]
) -> dict[int, int]:
    """Which text stands in which held one."""
    return {leak.row: leak.gold for leak in find_leaks(texts, held, answers=(answers, targets))}


def _refreeze(gold: Gold, added: Sequence[Example], file: Path) -> None:
    """Puts a whole new folder in the place of the old one."""
    examples = sorted([*gold.examples, *added], key=lambda example: hash_share(example.input, salt="gold"))
    text = as_lines(examples)
    was = {"date": date.today().isoformat(), "sha256": gold.sha256, "count": len(gold.examples), "then": file.name}
    card = {
        **gold.card,
        "count": len(examples),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "history": [*gold.card.get("history", []), was],
    }
    new, old = (gold.folder.with_name(f".{gold.folder.name}.{os.getpid()}.{end}") for end in ("new", "old"))
    try:
        shutil.copytree(gold.folder, new)
        (new / "examples.jsonl").write_text(text, encoding="utf-8")
        (new / "card.yaml").write_text(to_yaml(card), encoding="utf-8")
        gold.folder.rename(old)
        new.rename(gold.folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old)
