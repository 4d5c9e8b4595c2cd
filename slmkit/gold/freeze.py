"""Freezes gold sets: given examples, or a part of the user's own data."""

from __future__ import annotations

import errno
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
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
from slmkit.errors import FailedError, RefusedError, SlmkitError, counted
from slmkit.files import sha256_of, to_yaml, write_folder_atomically
from slmkit.gold.choose import (
    Groups,
    apart_ids,
    choose,
    groups_of,
    in_order,
    smallest_group,
    without_other_passages,
)
from slmkit.gold.freezing_notes import freezing_notes
from slmkit.gold.frozen_from import Reading, as_card, read_frozen, relative_names, sources_of
from slmkit.gold.gold_set import Gold, as_lines, read_gold
from slmkit.gold.read_questions import read_questions
from slmkit.text.identity import alike_key
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
    Raises: SlmkitError if `folder` was frozen from other files; RefusedError, unless allow_loss, if half of the
    rows of a file or more are unusable, or more than nine in ten are lost.
    """
    note = on_note or (lambda text: None)
    if gold is not None and (gold / "card.yaml").is_file():
        return read_gold(gold)
    held_out = [gold] if gold is not None else evaluation_files(data, encoding=columns.get("encoding", "auto"))
    sources = sources_of(data, gold)
    if folder.exists():
        return read_frozen(folder, data=data, gold=gold, columns=columns, on_note=note)
    rows = read_canonical(data, on_note=note, **columns)
    is_asked = bool(rows.rows) and "messages" in rows.rows[0].values
    if not is_asked and not held_out:
        raise SlmkitError(
            f"{rows.shape}: these rows are not questions with one correct answer",
            where=rows.rows[0].where,
            fix="set gold=FILE to a file with inputs and answers",
        )
    is_text = rows.shape.kind == "text"
    parts = [
        read_questions(path, data, is_given=gold is not None, is_text=is_text, on_note=note, **columns)
        for path in held_out
    ]
    asked = rows if is_asked else parts[0]  # preference pairs do not say what is asked, the given questions do
    usable = [row for read in parts or [rows] for row in read.rows]
    candidates, left_out = examples_of(usable, asked.kind)
    removed = {"duplicate": 0, "ambiguous": 0, **Counter(reason for reason, _ in left_out)}
    for read in () if allow_loss else (rows, *parts):
        refuse_if_most_are_unusable(len(read.rows) + len(read.dropped), read.dropped)
    if not allow_loss:
        refuse_if_most_are_lost(len(usable), removed, where=str(sources[0]))
    own = read_own_validation(data, rows.shape, is_gold_given=gold is not None, on_note=note, **columns)
    by_column = bool(columns.get("group_column"))
    groups = groups_of([*parts, rows, *([own] if own else [])], is_given=by_column)
    if parts and not by_column:
        groups = Groups()  # who chose the questions decided what they share with the training rows
    most = min(size, len(candidates) // 5)
    examples = candidates if parts else choose(candidates, most, groups) or smallest_group(candidates, most, groups)
    if parts and not examples:
        lost = ", ".join(f"{count:,} {reason}" for reason, count in removed.items() if count)
        fix = "correct its rows, or set gold=FILE to a file with questions and answers"
        raise SlmkitError(f"no usable question for evaluation: {lost}", where=str(sources[0]), fix=fix)
    if not parts and (len(rows.rows) < _FEWEST_ROWS or not examples):
        raise _too_few(rows, candidates, data)
    dev = _dev_examples(own, examples, size // 2, groups, most=0.5) if own else []
    own = own if dev else None
    if is_asked and not own:
        dev = _dev_examples(rows, examples, size // 2, groups, most=0.1)
    apart = apart_ids([*examples, *dev], groups)
    if apart and not parts:
        examples, dev = without_other_passages(examples, apart), without_other_passages(dev, apart)
    labels = sorted({*asked.labels, *(e.target for e in examples)}) if asked.kind == "classification" else []
    frozen = freeze_gold(
        folder,
        examples=examples,
        dev=dev,
        task=Task(folder.name, asked.kind, asked.instruction, tuple(labels)),
        source=relative_names(sources, folder),
        rules=_rules(len(examples), len(candidates), bool(held_out), rows.is_synthetic, groups),
        extra={
            **({"data": relative_names(data_files(data), folder)} if gold is not None else {}),
            "source_sha256": sha256_of(sources),
            **({"columns": given} if (given := as_card(columns)) else {}),
            "read_as": str((parts[0] if parts else rows).shape),
            **({"metric": "exact_match"} if asked.is_extractive else {}),
            **({"apart": apart} if apart else {}),
            "removed": removed,
            "synthetic": rows.is_synthetic,
        },
    )
    if own:
        note(f"the validation split gave {counted(len(dev), 'question')} for development; prepare uses its other rows")
    for text in freezing_notes(frozen, rows, parts, removed, groups):
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


def _dev_examples(
    rows: CanonicalData, examples: Sequence[Example], size: int, groups: Groups, *, most: float
) -> list[Example]:
    """At most `size` other rows, at most a share `most`, without near duplicates of the gold examples.

    If groups are to stay together, whole groups without a gold example.
    """
    known, taken = {example.id for example in examples}, set(apart_ids(examples, groups))
    others = [
        example
        for example in examples_of(rows.rows, rows.kind)[0]
        if example.id not in known and groups.of.get(example.id) not in taken
    ]
    size = min(size, int(len(others) * most))
    candidates = choose(others, size, groups) if groups.are_whole else others[: max(2 * size, _FEWEST_ROWS)]
    leaks = {leak.row for leak in conversation_leaks(candidates, examples)}
    return [example for i, example in enumerate(candidates) if i not in leaks][:size]


def _too_few(rows: CanonicalData, candidates: Sequence[Example], data: Path) -> SlmkitError:
    """The error for data of which no part is large enough to hold out."""
    what = f"{counted(len(rows.rows), 'usable row')}: too few to hold some out"
    fix = f"provide at least {_FEWEST_ROWS} rows, or set gold=FILE to a file with questions and answers"
    if len(rows.rows) >= _FEWEST_ROWS:
        different = counted(len(candidates), "different question")
        what = f"{len(rows.rows):,} usable rows ask only {different}: too few to hold some out"
        fix = "provide rows that ask more questions, or set gold=FILE to a file with questions and answers"
    return SlmkitError(what, where=str(data), fix=fix)


def _rules(num_examples: int, num_candidates: int, is_given: bool, is_synthetic: bool, groups: Groups) -> str:
    how = "all usable rows of the source" if is_given else f"{num_examples} of {num_candidates} rows, by content hash"
    if groups.are_whole and not is_given:
        how += f" of whole {groups.noun}s"
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
