"""Finds leaks of a gold set in training rows, few-shot examples, seeds of synthetic rows, and documents.

Rows are compared with the gold set by their words: equal, near duplicate, or containing a gold question. The other
rows are compared by embeddings from latent semantic analysis, which also detect reordered questions. Their
false-positive rate is 0.4% on banking77 and 0.9% on clinc150, so these findings only suggest rows to review.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.clean_rows import DOUBTFUL
from slmkit.data.documents import read_passages
from slmkit.data.lsa import lsa
from slmkit.data.read_canonical import read_canonical
from slmkit.gold.frozen_from import frozen_columns
from slmkit.gold.gold_set import Gold
from slmkit.text.identity import Question, loose
from slmkit.text.leakage import conversation_leaks, find_leaks

_SIMILAR = 0.9  # cosine similarity
_MAX_ROWS = 50_000  # compared with the gold set by embeddings; of more rows, an evenly spread sample


@dataclass(frozen=True)
class Finding:
    """One finding: an error invalidates the verdict, a warning weakens it, a note only informs."""

    severity: Literal["error", "warning", "note"]
    check: str
    text: str
    where: str = ""  # file:line of the first case


def gold_leaks(
    gold: Gold,
    *,
    rows: Mapping[str, Path | None],
    documents: Path | None = None,
    columns: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """Leaks of the gold set in its own dev set, in files of rows (keyed by their use), and in documents.

    columns: text_column, label_column, … and encoding of the rows; those not given are the columns that the set was
    frozen with, if the file has them.
    """
    findings = []
    found = conversation_leaks(gold.dev, gold.examples)
    if found:
        text = f"{len(found):,} development examples are in the gold set"
        findings.append(Finding("error", "leak", text, f"{gold.folder / 'dev.jsonl'}:{found[0].row + 1}"))
    for use, path in rows.items():
        if path is not None:
            notes: list[str] = []
            read = frozen_columns(gold, path, columns or {}, on_note=notes.append)
            canonical = read_canonical(path, **read)
            findings += [Finding("note", "columns", f"{note}, so it is read as {canonical.shape}") for note in notes]
            findings += _in_rows(gold, canonical.rows, use)
    if documents is not None:
        passages = read_passages(documents)
        texts = [Question(example.input) for example in gold.examples]
        found = find_leaks([Question(passage.text) for passage in passages], texts)
        if not found:
            text = f"no gold question occurs in the {len(passages):,} passages"
            findings.append(Finding("note", "leak", text))
        else:
            answered = sum(
                f" {loose(gold.examples[leak.gold].target)} " in f" {loose(passages[leak.row].text)} "
                for leak in found
            )
            text = (
                f"{len(found):,} passages contain a gold question verbatim, {answered:,} of them with its answer: "
                "retrieval will find the question itself"
            )
            findings.append(Finding("warning", "leak", text, passages[found[0].row].id))
    return findings


def _in_rows(gold: Gold, rows: Sequence[CanonicalRow], use: str) -> list[Finding]:
    findings = []
    asked = [example.input for example in gold.examples]
    answers = [row.target for row in rows], [example.target for example in gold.examples]
    all_found = conversation_leaks(rows, gold.examples, answers=answers, with_doubtful=True)
    found = [leak for leak in all_found if not leak.is_doubtful]
    for kind, (how, check) in DOUBTFUL.items():
        if some := [leak for leak in all_found if leak.is_doubtful and leak.kind == kind]:
            text = (
                f"{len(some):,} of {len(rows):,} {use} rows differ from a gold question {how}. "
                f"Check whether {rows[some[0].row].input[:60]!r} is {asked[some[0].gold][:60]!r} {check}"
            )
            findings.append(Finding("note", "leak", text, rows[some[0].row].where))
    if found:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(leak.kind for leak in found).most_common())
        fix = "prepare drops them" if use == "training" else "remove them"
        text = (
            f"{len(found):,} of {len(rows):,} {use} rows overlap the gold set ({kinds}); {fix}. "
            f"First: {rows[found[0].row].input[:60]!r}, in the gold set {asked[found[0].gold][:60]!r}"
        )
        findings.append(Finding("warning", "leak", text, rows[found[0].row].where))
    leaking = {leak.row for leak in all_found}
    rest = [row for i, row in enumerate(rows) if i not in leaking]
    rest = rest[:: max(1, -(-len(rest) // _MAX_ROWS))]
    similar = _similar([row.input for row in rest], asked)
    if similar:
        row, example = similar[0]
        text = (
            f"{len(similar):,} of {len(rest):,} other {use} rows are similar to a gold question. "
            f"Check whether {rest[row].input[:60]!r} asks the same as {asked[example][:60]!r}"
        )
        findings.append(Finding("note", "leak", text, rest[row].where))
    if not findings:
        findings.append(Finding("note", "leak", f"none of {len(rows):,} {use} rows overlaps the gold set"))
    return findings


def _similar(rows: Sequence[str], asked: Sequence[str]) -> list[tuple[int, int]]:
    """(row, gold text) pairs with a cosine similarity of at least _SIMILAR, most similar first."""
    if not rows or not asked:
        return []
    embed = lsa([*rows, *asked])
    cosines = embed(rows) @ embed(asked).T  # (N, gold)
    best, values = cosines.argmax(1), cosines.max(1)
    order = (-values).argsort(kind="stable")
    return [(int(row), int(best[row])) for row in order if values[row] >= _SIMILAR]
