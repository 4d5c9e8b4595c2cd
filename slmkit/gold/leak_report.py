"""Where a gold set stands in what a system is made from: training rows, shots, seeds of synthetic rows, documents.

Rows are held against gold by their words (the same, nearly the same, holding it), and the rest by the vectors of a
latent semantic analysis, which also sees a question put in another order. How often that calls rows alike that nobody
leaked: banking77 0.4 %, clinc150 0.9 %; so it only tells where to look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from slmkit.data.canonical import read_canonical
from slmkit.data.convert import Canonical
from slmkit.data.documents import read_passages
from slmkit.data.lsa import lsa
from slmkit.gold.gold_set import Gold
from slmkit.text.identity import normalise
from slmkit.text.leakage import find_leaks

_ALIKE = 0.9  # cosine
_MOST_ROWS = 50_000  # held against gold by their vectors: a sample, spread over the rows, of more


@dataclass(frozen=True)
class Finding:
    """One thing to know: an error spoils the verdict, a warning weakens it, a note informs."""

    severity: Literal["error", "warning", "note"]
    check: str
    text: str
    where: str = ""  # file:line of the first case


def gold_leaks(
    gold: Gold,
    *,
    rows: Mapping[str, Path | None],
    documents: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
) -> list[Finding]:
    """What of the gold set stands in its own dev set, in files of rows (by what they are for), and in documents."""
    asked = [example.input for example in gold.examples]
    findings = []
    found = find_leaks([example.input for example in gold.dev], asked)
    if found:
        text = f"{len(found):,} development examples stand in the gold set"
        findings.append(Finding("error", "leak", text, f"{gold.folder / 'dev.jsonl'}:{found[0].row + 1}"))
    for use, path in rows.items():
        if path is not None:
            held = read_canonical(path, text_column=text_column, label_column=label_column).rows
            findings += _in_rows(gold, held, use)
    if documents is not None:
        passages = read_passages(documents)
        found = find_leaks([passage.text for passage in passages], asked)
        if not found:
            text = f"no gold question stands in the {len(passages):,} passages"
            findings.append(Finding("note", "leak", text))
        else:
            answered = sum(
                f" {normalise(gold.examples[leak.gold].target)} " in f" {normalise(passages[leak.row].text)} "
                for leak in found
            )
            text = (
                f"{len(found):,} passages hold a gold question word for word, {answered:,} of them with its answer: "
                "retrieval will find the question itself"
            )
            findings.append(Finding("warning", "leak", text, passages[found[0].row].id))
    return findings


def _in_rows(gold: Gold, rows: Sequence[Canonical], use: str) -> list[Finding]:
    findings = []
    asked = [example.input for example in gold.examples]
    answers = [row.target for row in rows], [example.target for example in gold.examples]
    found = find_leaks([row.input for row in rows], asked, answers=answers)
    if found:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(leak.kind for leak in found).most_common())
        then = "; prepare drops them" if use == "training" else ": leave them out"
        text = f"{len(found):,} of {len(rows):,} {use} rows stand in gold ({kinds}){then}"
        findings.append(Finding("warning", "leak", text, rows[found[0].row].where))
    known = {leak.row for leak in found}
    rest = [row for i, row in enumerate(rows) if i not in known]
    rest = rest[:: max(1, -(-len(rest) // _MOST_ROWS))]
    alike = _alike([row.input for row in rest], asked)
    if alike:
        row, example = alike[0]
        text = (
            f"{len(alike):,} of {len(rest):,} other {use} rows use the words of a gold question in another way: "
            f"look whether {rest[row].input[:60]!r} asks what {asked[example][:60]!r} asks"
        )
        findings.append(Finding("note", "leak", text, rest[row].where))
    if not findings:
        findings.append(Finding("note", "leak", f"none of {len(rows):,} {use} rows stands in gold"))
    return findings


def _alike(rows: Sequence[str], asked: Sequence[str]) -> list[tuple[int, int]]:
    """(row, gold text) whose vectors' cosine is at least _ALIKE, the most alike first."""
    if not rows or not asked:
        return []
    embed = lsa([*rows, *asked])
    cosines = embed(rows) @ embed(asked).T  # (N, gold)
    best, values = cosines.argmax(1), cosines.max(1)
    order = (-values).argsort(kind="stable")
    return [(int(row), int(best[row])) for row in order if values[row] >= _ALIKE]
