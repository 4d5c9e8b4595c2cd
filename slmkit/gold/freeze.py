"""Freezes gold sets: given examples, or a part of the user's own data."""

from __future__ import annotations

import errno
import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Unpack

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.documents import passage_id
from slmkit.data.most_lost import refuse_if_most_are_lost, refuse_if_most_are_unusable
from slmkit.data.own_validation import read_own_validation
from slmkit.data.read_canonical import CanonicalData, read_canonical
from slmkit.data.reading.find_files import OnNote, data_files
from slmkit.data.reading.split_rows import evaluation_files
from slmkit.data.split import hash_share
from slmkit.errors import FailedError, RefusedError, SlmkitError, counted
from slmkit.files import sha256_of, to_yaml, write_folder_atomically
from slmkit.gold.frozen_from import Reading, as_card, read_frozen, relative_names, sources_of
from slmkit.gold.gold_set import Gold, as_lines, read_gold
from slmkit.text.identity import alike_key, question_of
from slmkit.text.leakage import conversation_leaks
from slmkit.types import Example, Task

_FEWEST_ROWS = 20  # with fewer rows, no part of the data is large enough to hold out


def freeze_gold(
    folder: Path,
    *,
    examples: Sequence[Example],
    dev: Sequence[Example] = (),
    task: Task,
    source: str,
    rules: str = "",
    licence: str = "not stated",
    extra: Mapping[str, Any] | None = None,
) -> Gold:
    """Writes a gold folder in one move and reads it back. The keys of `extra` are added to its card.

    Raises: SlmkitError if the folder exists; FailedError if it cannot be written.
    """
    if folder.exists():
        raise SlmkitError("this gold set is already frozen", where=str(folder), fix="choose another name")
    ids = Counter(example.id for example in examples)
    if repeated := [id for id, count in ids.items() if count > 1]:
        raise SlmkitError(
            f"two examples have the id {repeated[0]!r}", where=str(folder), fix="use a unique id for each example"
        )
    text = as_lines(examples)
    card = {
        "name": task.name,
        "kind": task.kind,
        "instruction": task.instruction,
        "labels": list(task.labels),
        "rules": rules,
        "source": source,
        "licence": licence,
        "count": len(examples),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "created": date.today().isoformat(),
        **(extra or {}),
    }
    files = {"examples.jsonl": text, "card.yaml": to_yaml(card), **({"dev.jsonl": as_lines(dev)} if dev else {})}
    _write(folder, files)
    return read_gold(folder)


def freeze_once(
    data: Path,
    *,
    folder: Path,
    gold: Path | None = None,
    size: int = 200,
    allow_loss: bool = False,
    on_note: OnNote | None = None,
    **columns: Unpack[Reading],
) -> Gold:
    """The gold set of the user's own data: frozen into `folder` the first time, read from there afterwards.

    If `gold` is a frozen folder, that set is used; if it is a file, all its usable rows become the gold set. Without
    `gold`, it is the test or validation file of a data folder; otherwise `size` rows of the data, at most a fifth. Up
    to size / 2 other rows, at most a tenth, become the dev set; if the data has a validation split beside its test
    split, at most half of that. Rows are chosen by the hash of their text.
    Raises: SlmkitError if `folder` was frozen from other files; RefusedError, unless allow_loss, if more than half of
    the rows of a file are unusable, or more than nine in ten are lost.
    """
    note = on_note or (lambda text: None)
    if gold is not None and (gold / "card.yaml").is_file():
        return read_gold(gold)
    held_out = [gold] if gold is not None else evaluation_files(data, encoding=columns.get("encoding", "auto"))
    sources = sources_of(data, gold)
    if folder.exists():
        return read_frozen(folder, data=data, gold=gold, columns=columns, on_note=note)
    rows = read_canonical(data, on_note=note, **columns)
    if rows.rows and "messages" not in rows.rows[0].values:
        raise SlmkitError(
            f"{rows.shape}: these rows are not questions with one correct answer",
            where=rows.rows[0].where,
            fix="set gold=FILE to a file with inputs and answers",
        )
    parts = [read_canonical(path, use="evaluation", on_note=note, **columns) for path in held_out]
    candidates, left_out = examples_of([row for part in parts for row in part.rows] if parts else rows.rows, rows.kind)
    removed = {"duplicate": 0, "ambiguous": 0, **Counter(reason for reason, _ in left_out)}
    for read in () if allow_loss else (rows, *parts):
        refuse_if_most_are_unusable(len(read.rows) + len(read.dropped), read.dropped)
    if not allow_loss:
        num_rows = sum(len(read.rows) for read in parts or [rows])
        refuse_if_most_are_lost(num_rows, removed, where=str(sources[0]))
    examples = candidates if parts else _stratified(candidates, min(size, len(candidates) // 5))
    if parts and not examples:
        lost = ", ".join(f"{count:,} {reason}" for reason, count in removed.items() if count)
        fix = "correct its rows, or set gold=FILE to a file with questions and answers"
        raise SlmkitError(f"no usable question for evaluation: {lost}", where=str(sources[0]), fix=fix)
    if not parts and (len(rows.rows) < _FEWEST_ROWS or not examples):
        raise SlmkitError(
            f"{counted(len(rows.rows), 'usable row')}: too few to hold some out",
            where=str(data),
            fix=f"provide at least {_FEWEST_ROWS} rows, or set gold=FILE to a file with questions and answers",
        )
    own = read_own_validation(data, rows.shape, is_gold_given=gold is not None, on_note=note, **columns)
    dev = _dev_examples(own or rows, examples, size // 2, most=0.5 if own else 0.1)
    labels = sorted({*rows.labels, *(e.target for e in examples)}) if rows.kind == "classification" else []
    frozen = freeze_gold(
        folder,
        examples=examples,
        dev=dev,
        task=Task(folder.name, rows.kind, rows.instruction, tuple(labels)),
        source=relative_names(sources, folder),
        rules=_rules(len(examples), len(candidates), bool(held_out), rows.is_synthetic),
        extra={
            **({"data": relative_names(data_files(data), folder)} if gold is not None else {}),
            "source_sha256": sha256_of(sources),
            **({"columns": given} if (given := as_card(columns)) else {}),
            "read_as": str((parts[0] if parts else rows).shape),
            "removed": removed,
            "synthetic": rows.is_synthetic,
        },
    )
    if own:
        note(f"the validation split gave {counted(len(dev), 'question')} for development; prepare uses its other rows")
    for text in _freezing_notes(frozen, rows, parts, removed):
        note(text)
    return frozen


def examples_of(rows: Sequence[CanonicalRow], kind: str) -> tuple[list[Example], list[tuple[str, CanonicalRow]]]:
    """One example per question, ordered by hash, and the rows left out, each as "duplicate" or "ambiguous".

    In a classification task a question with two labels is ambiguous; otherwise the other answers are also correct.
    """
    by_question: dict[str, list[CanonicalRow]] = {}
    for row in rows:
        by_question.setdefault(row.question.key, []).append(row)
    examples = []
    left_out: list[tuple[str, CanonicalRow]] = []
    known: set[tuple[tuple[str, str], frozenset[str]]] = set()  # of each example: what is alike, and its answers
    for key, same in by_question.items():
        row = same[0]
        answers = list(dict.fromkeys(answer for one in same for answer in (one.target, *one.aliases)))
        if kind == "classification" and len(answers) > 1:
            left_out += [("ambiguous", one) for one in same]
            continue
        asked = alike_key(row.question), frozenset(answers)
        if asked in known:  # an alike question with the same answer would count twice
            left_out += [("duplicate", one) for one in same]
            continue
        known.add(asked)
        first = {one.target: one for one in reversed(same)}
        left_out += [("duplicate", one) for one in same if first[one.target] is not one]
        relevant = tuple(dict.fromkeys(passage_id(one.passage) for one in same if one.passage))
        example = example_of(row)
        examples.append(replace(example, id=key, target=answers[0], aliases=tuple(answers[1:]), relevant=relevant))
    return in_order(examples), left_out


def example_of(row: CanonicalRow) -> Example:
    """The gold example of a row: with its whole conversation, and the tools, if it is more than one user turn."""
    messages = () if row.question.rest == "" else tuple(row.conversation)
    return Example(
        row.question.key,
        row.input,
        row.target,
        row.aliases,
        slice=row.slice,
        messages=messages,
        tools=tuple(row.tools),
    )


def in_order(examples: Iterable[Example]) -> list[Example]:
    """The examples ordered by the hash of their questions, so that the first n are a random sample."""
    return sorted(examples, key=lambda example: hash_share(question_of(example).split_key, salt="gold"))


def _stratified(candidates: Sequence[Example], size: int) -> list[Example]:
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


def _dev_examples(rows: CanonicalData, examples: Sequence[Example], size: int, *, most: float) -> list[Example]:
    """At most `size` other rows, at most a share `most`, without near duplicates of the gold examples."""
    known = {example.id for example in examples}
    others = [example for example in examples_of(rows.rows, rows.kind)[0] if example.id not in known]
    size = min(size, int(len(others) * most))
    candidates = others[: 2 * size]
    leaks = {leak.row for leak in conversation_leaks(candidates, examples)}
    return [example for i, example in enumerate(candidates) if i not in leaks][:size]


def _freezing_notes(
    gold: Gold, rows: CanonicalData, parts: Sequence[CanonicalData], removed: Mapping[str, int]
) -> list[str]:
    """What the user should know about a set that was just frozen."""
    notes = []
    labels = gold.task.labels
    if unseen := sorted(set(labels) - set(rows.labels)):
        notes.append(f"{len(unseen)} gold labels do not occur in the training data: {', '.join(unseen[:5])}")
    if rows.kind == "classification" and len(labels) < 2:
        notes.append(
            f"every example has the label {labels[0]!r}: any constant answer scores 1.0, so systems cannot be compared"
        )
    unusable = Counter(row.reason for row in (*rows.dropped, *(row for part in parts for row in part.dropped)))
    if unusable:
        notes.append("unusable rows: " + ", ".join(f"{count:,} {reason}" for reason, count in unusable.items()))
    notes += _answer_notes([row for part in parts for row in part.rows] if parts else rows.rows, gold)
    counts = ", ".join(f"{count:,} {reason}" for reason, count in removed.items() if count)
    notes.append(
        f"froze {len(gold.examples):,} gold examples in {gold.folder}"
        + (f" and {len(gold.dev):,} for development" if gold.dev else "")
        + (f"; removed {counts}" if counts else "")
    )
    return notes


def _answer_notes(rows: Sequence[CanonicalRow], gold: Gold) -> list[str]:
    """Gold questions that several rows answer differently: each answer counts as right, which may be a mistake."""
    answers: dict[str, dict[str, None]] = {example.id: {} for example in gold.examples}
    for row in rows:
        if row.question.key in answers:
            answers[row.question.key][row.target] = None
    several = [(id, list(found)) for id, found in answers.items() if len(found) > 1]
    if not several:
        return []
    id, found = several[0]
    asked = next(example.input for example in gold.examples if example.id == id)
    return [
        f"{counted(len(several), 'question')} with different answers in several rows: each of them counts as right. "
        f"First: {asked[:60]!r} -> {', '.join(repr(answer[:30]) for answer in found[:3])}"
    ]


def _rules(num_examples: int, num_candidates: int, is_given: bool, is_synthetic: bool) -> str:
    how = "all usable rows of the source" if is_given else f"{num_examples} of {num_candidates} rows, by content hash"
    return f"{how}; synthetic gap-fill questions generated from documents" if is_synthetic else how


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        write_folder_atomically(folder, files)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and (folder / "card.yaml").exists():
            raise RefusedError(
                "another process froze this gold set at the same time",
                where=str(folder),
                fix="run the same command again: it reads the frozen set",
            ) from None
        raise FailedError(
            f"cannot write the gold set: {error.strerror}",
            where=str(folder),
            fix="check the free disk space and the permissions of this folder",
        ) from None
