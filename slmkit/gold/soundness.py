"""Checks a gold set before it is used for a verdict: power, schema, duplicates, labels, balance and leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Unpack

from slmkit.errors import counted
from slmkit.gold.frozen_from import Reading
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.gold.leak_report import Finding, gold_leaks
from slmkit.statistics.power import power_sentence
from slmkit.text.identity import loose, questions_of
from slmkit.text.near_duplicates import near_duplicates
from slmkit.types import Example

_FEWEST_IN_SLICE = 10  # even with 10, the 95% interval of an accuracy of 0.5 is 0.24 to 0.76


def gold_check(
    folder: Path,
    *,
    data: Path | None = None,
    shots: Path | None = None,
    seeds: Path | None = None,
    documents: Path | None = None,
    **columns: Unpack[Reading],
) -> list[Finding]:
    """All findings about a gold folder: its statistical power, then errors, warnings and notes.

    Leaks are looked for in the training `data`, in `shots` (few-shot examples), in `seeds` (from which synthetic rows
    are generated) and in `documents`. Columns that are not given are those that the set was frozen with.
    Raises: SlmkitError if the set cannot be read; RefusedError if it was changed after freezing.
    """
    gold = read_gold(folder)
    rows = {"training": data, "few-shot": shots, "seed": seeds}
    findings = [
        *_schema(gold),
        *_repeats(gold),
        *_balance(gold),
        *gold_leaks(gold, rows=rows, documents=documents, columns=columns),
    ]
    order = ("error", "warning", "note")
    findings.sort(key=lambda finding: order.index(finding.severity))
    return [Finding("note", "power", power_sentence(len(gold.examples))), *findings]


def _schema(gold: Gold) -> list[Finding]:
    findings = []
    path = gold.folder / "examples.jsonl"
    faults: dict[str, list[int]] = {}
    for line, example in enumerate(gold.examples, 1):
        if not example.input.strip():
            faults.setdefault("with an empty input", []).append(line)
        if not example.target.strip():
            faults.setdefault("with an empty target", []).append(line)
        if gold.task.labels and example.target not in gold.task.labels:
            faults.setdefault("with a target that is not a label of the card", []).append(line)
    for fault, lines in faults.items():
        findings.append(Finding("error", "schema", f"{counted(len(lines), 'example')} {fault}", f"{path}:{lines[0]}"))
    if gold.card.get("count") != len(gold.examples):
        found = counted(len(gold.examples), "example")
        text = f"the card states a count of {gold.card.get('count')}, the file contains {found}"
        findings.append(Finding("error", "schema", text, str(gold.folder / "card.yaml")))
    if not gold.examples:
        findings.append(Finding("error", "schema", "the set has no examples", str(path)))
    return findings


def _repeats(gold: Gold) -> list[Finding]:
    findings = []
    path = gold.folder / "examples.jsonl"
    questions = questions_of(gold.examples)
    targets = [example.target for example in gold.examples]
    repeats = _pairs([question.key for question in questions])
    ambiguous = [(i, j) for i, j in repeats if targets[i] != targets[j]]
    same = [(i, j) for i, j in repeats if targets[i] == targets[j]]
    alike = _pairs([(loose(question.text), question.rest) for question in questions])
    near = {*alike, *near_duplicates(questions).items()} - {*repeats}
    similar = [(i, j) for i, j in sorted(near) if targets[i] == targets[j]]
    differ = [(i, j) for i, j in sorted(near) if targets[i] != targets[j]]
    answer = "label" if gold.task.labels else "target"
    for severity, check, pairs, text in (
        ("error", "ambiguous", ambiguous, "with the same question as another and a different target"),
        ("warning", "duplicates", same, "the same as another: it counts twice, and intervals are too narrow"),
        (
            "warning" if gold.task.labels else "note",
            "ambiguous",
            differ,
            f"nearly the same as another, with a different {answer}",
        ),
        ("note", "duplicates", similar, "nearly the same as another, with the same target"),
    ):
        if pairs:
            i, j = pairs[0]
            shown = f"{_short(gold.examples[i])} / {_short(gold.examples[j])}"
            where = f"{path}:{i + 1} and {j + 1}"
            fact = f"{counted(len(pairs), 'example')} {text}: {shown}"
            findings.append(Finding(severity, check, fact, where))  # type: ignore[arg-type]
    return findings


def _pairs(keys: Sequence[Hashable]) -> list[tuple[int, int]]:
    """(later, first) for each key that occurs again."""
    first: dict[Hashable, int] = {}
    return [(i, j) for i, key in enumerate(keys) if (j := first.setdefault(key, i)) != i]


def _balance(gold: Gold) -> list[Finding]:
    slices: dict[str, Counter[str]] = {}
    for example in gold.examples:
        values = {**example.slice, **({"label": example.target} if gold.task.labels else {})}
        for name, value in values.items():
            slices.setdefault(name, Counter())[value] += 1
    for label in gold.task.labels:
        slices.setdefault("label", Counter())[label] += 0
    findings = []
    for slice, counts in slices.items():
        ordered = counts.most_common()
        (most, top), (least, bottom) = ordered[0], ordered[-1]
        examples = "example" if top == 1 else "examples"
        text = f"{slice}: {counted(len(counts), 'value')}, with {bottom} ({least}) to {top} ({most}) {examples}"
        absent = [value for value, count in counts.items() if not count]
        if absent:
            text += f"; no example of {', '.join(sorted(absent)[:5])}"
        small = sum(count < _FEWEST_IN_SLICE for count in counts.values())
        if small:
            have, their = ("has", "its") if small == 1 else ("have", "their")
            text += f"; {small} {have} fewer than {_FEWEST_IN_SLICE} examples, too few for a score of {their} own"
        findings.append(Finding("warning" if absent else "note", "balance", text))
    return findings


def _short(example: Example) -> str:
    shown = example.input if len(example.input) <= 50 else example.input[:49] + "…"
    return f"{shown!r} -> {example.target[:30]!r}"
