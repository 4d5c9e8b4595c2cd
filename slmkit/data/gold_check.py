"""What is wrong with a gold set before a verdict stands on it: schema, repeats, labels, balance, leaks, power."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slmkit.data.canonical import read_canonical
from slmkit.data.documents import read_passages
from slmkit.data.gold import Gold, read_gold
from slmkit.data.leakage import find_leaks
from slmkit.data.near_duplicates import near_duplicates
from slmkit.data.normalise import normalise
from slmkit.data.power import power_sentence
from slmkit.types import Example

_FEWEST_IN_SLICE = 10  # fewer say nothing: the 95 % interval of 5 right of 10 is 0.24 to 0.76


@dataclass(frozen=True)
class Finding:
    """One thing to know: an error spoils the verdict, a warning weakens it, a note informs."""

    severity: Literal["error", "warning", "note"]
    check: str
    text: str
    where: str = ""  # file:line of the first case


def gold_check(
    folder: Path,
    *,
    data: Path | None = None,
    documents: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
) -> list[Finding]:
    """Every finding about a gold folder, errors first; `data` and `documents` are searched for its questions.

    Raises: SlmkitError when it cannot be read, RefusedError when it is not what was frozen.
    """
    gold = read_gold(folder)
    findings = [
        *_schema(gold),
        *_repeats(gold),
        *_balance(gold),
        *_leaks(gold, data, documents, text_column, label_column),
        Finding("note", "power", power_sentence(len(gold.examples))),
    ]
    order = ("error", "warning", "note")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def _schema(gold: Gold) -> list[Finding]:
    findings = []
    path = gold.folder / "examples.jsonl"
    ids = Counter(example.id for example in gold.examples)
    faults: dict[str, list[int]] = {}
    for line, example in enumerate(gold.examples, 1):
        if not example.input.strip():
            faults.setdefault("have an empty input", []).append(line)
        if not example.target.strip():
            faults.setdefault("have an empty target", []).append(line)
        if ids[example.id] > 1:
            faults.setdefault("share their id with another", []).append(line)
        if gold.task.labels and example.target not in gold.task.labels:
            faults.setdefault("have a target that is no label of the card", []).append(line)
    for fault, lines in faults.items():
        findings.append(Finding("error", "schema", f"{len(lines):,} examples {fault}", f"{path}:{lines[0]}"))
    if gold.card.get("count") != len(gold.examples):
        text = f"the card counts {gold.card.get('count')} examples, the file holds {len(gold.examples)}"
        findings.append(Finding("error", "schema", text, str(gold.folder / "card.yaml")))
    if not gold.examples:
        findings.append(Finding("error", "schema", "there is no example", str(path)))
    return findings


def _repeats(gold: Gold) -> list[Finding]:
    findings = []
    path = gold.folder / "examples.jsonl"
    first: dict[str, int] = {}
    repeats: list[tuple[int, int]] = []
    for i, example in enumerate(gold.examples):
        earlier = first.setdefault(normalise(example.input), i)
        if earlier != i:
            repeats.append((i, earlier))
    ambiguous = [(i, j) for i, j in repeats if gold.examples[i].target != gold.examples[j].target]
    same = [pair for pair in repeats if pair not in ambiguous]
    near = near_duplicates([example.input for example in gold.examples])
    differ = [
        (i, j)
        for i, j in near.items()
        if gold.task.labels and gold.examples[i].target != gold.examples[j].target and (i, j) not in ambiguous
    ]
    for severity, check, pairs, text in (
        ("error", "ambiguous", ambiguous, "examples repeat another's text with a different target"),
        ("warning", "duplicates", same, "examples repeat another: they count twice, and intervals are too narrow"),
        ("warning", "ambiguous", differ, "examples are almost another's text, with a different label"),
    ):
        if pairs:
            i, j = pairs[0]
            shown = f"{_short(gold.examples[i])} / {_short(gold.examples[j])}"
            where = f"{path}:{i + 1} and {j + 1}"
            findings.append(Finding(severity, check, f"{len(pairs):,} {text}: {shown}", where))  # type: ignore[arg-type]
    return findings


def _balance(gold: Gold) -> list[Finding]:
    slices: dict[str, Counter[str]] = {}
    for example in gold.examples:
        of = {**example.slice, **({"label": example.target} if gold.task.labels else {})}
        for name, value in of.items():
            slices.setdefault(name, Counter())[value] += 1
    for label in gold.task.labels:
        slices.setdefault("label", Counter())[label] += 0
    findings = []
    for name, counts in slices.items():
        ordered = counts.most_common()
        (most, top), (least, bottom) = ordered[0], ordered[-1]
        text = f"{name}: {len(counts)} values, from {bottom} ({least}) to {top} ({most})"
        absent = [value for value, count in counts.items() if not count]
        if absent:
            text += f"; none of {', '.join(sorted(absent)[:5])}"
        small = sum(count < _FEWEST_IN_SLICE for count in counts.values())
        if small:
            text += f"; {small} have fewer than {_FEWEST_IN_SLICE}: too few to say anything of each"
        findings.append(Finding("warning" if absent else "note", "balance", text))
    return findings


def _leaks(
    gold: Gold, data: Path | None, documents: Path | None, text_column: str | None, label_column: str | None
) -> list[Finding]:
    asked = [example.input for example in gold.examples]
    findings = []
    found = find_leaks([example.input for example in gold.dev], asked)
    if found:
        text = f"{len(found):,} development examples stand in the gold set"
        findings.append(Finding("error", "leak", text, f"{gold.folder / 'dev.jsonl'}:{found[0].row + 1}"))
    if data is not None:
        rows = read_canonical(data, text_column=text_column, label_column=label_column).rows
        answers = [row.target for row in rows], [example.target for example in gold.examples]
        found = find_leaks([row.input for row in rows], asked, answers=answers)
        if found:
            kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(leak.kind for leak in found).most_common())
            text = f"{len(found):,} of {len(rows):,} training rows stand in gold ({kinds}); prepare drops them"
            findings.append(Finding("warning", "leak", text, rows[found[0].row].where))
    if documents is not None:
        passages = read_passages(documents)
        found = find_leaks([passage.text for passage in passages], asked)
        if found:
            text = (
                f"{len(found):,} passages hold a gold question word for word: retrieval will find the question itself"
            )
            findings.append(Finding("warning", "leak", text, passages[found[0].row].id))
    return findings


def _short(example: Example) -> str:
    shown = example.input if len(example.input) <= 50 else example.input[:49] + "…"
    return f"{shown!r} -> {example.target[:30]!r}"
