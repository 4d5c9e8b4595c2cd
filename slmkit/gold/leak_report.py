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
from slmkit.data.cleaning.clean_rows import doubtful_notes
from slmkit.data.documents import read_passages
from slmkit.data.lsa import lsa
from slmkit.data.read_canonical import read_canonical
from slmkit.gold.frozen_from import frozen_columns
from slmkit.gold.gold_set import Gold
from slmkit.text.identity import loose
from slmkit.text.leakage import conversation_leaks
from slmkit.text.quoted import FEWEST_IN_LINES, Quotable
from slmkit.types import Passage

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
        are = "development example is" if len(found) == 1 else "development examples are"
        text = f"{len(found):,} {are} in the gold set"
        findings.append(Finding("error", "leak", text, f"{gold.folder / 'dev.jsonl'}:{found[0].row + 1}"))
    for use, path in rows.items():
        if path is not None:
            notes: list[str] = []
            read = frozen_columns(gold, path, columns or {}, on_note=notes.append)
            canonical = read_canonical(path, **read)
            findings += [Finding("note", "columns", f"{note}, so it is read as {canonical.shape}") for note in notes]
            findings += _in_rows(gold, canonical.rows, use)
    if documents is not None:
        findings.append(_in_passages(gold, read_passages(documents)))
    return findings


def _in_passages(gold: Gold, passages: Sequence[Passage]) -> Finding:
    quotable = Quotable([example.input for example in gold.examples])
    found = [
        (passage, j) for passage in passages for j in {*quotable.inside(passage.text), *quotable.lines(passage.text)}
    ]
    too_short = ""
    if quotable.num_too_short:
        have = "has" if quotable.num_too_short == 1 else "have"
        too_short = (
            f" ({quotable.num_too_short:,} of {len(gold.examples):,} questions {have} fewer than {FEWEST_IN_LINES} "
            "words, too few to be looked for)"
        )
    if not found:
        text = f"no gold question occurs in the {_passages(len(passages))}{too_short}"
        return Finding("note", "leak", text)
    asked = {j for _, j in found}
    answered = {j for passage, j in found if f" {loose(gold.examples[j].target)} " in f" {loose(passage.text)} "}
    are = "is" if len(asked) == 1 else "are"
    num_in = len({passage.id for passage, _ in found})
    text = (
        f"{len(asked):,} of {len(gold.examples):,} gold questions {are} in {num_in:,} of {_passages(len(passages))} "
        f"word by word, {len(answered):,} of them with the answer: retrieval will find the question itself{too_short}"
    )
    return Finding("warning", "leak", text, found[0][0].id)


def _passages(count: int) -> str:
    return "1 passage" if count == 1 else f"{count:,} passages"


def _in_rows(gold: Gold, rows: Sequence[CanonicalRow], use: str) -> list[Finding]:
    findings = []
    asked = [example.input for example in gold.examples]
    answers = [row.target for row in rows], [example.target for example in gold.examples]
    all_found = conversation_leaks(rows, gold.examples, answers=answers, with_doubtful=True)
    found = [leak for leak in all_found if not leak.is_doubtful]
    for row, text in doubtful_notes(all_found, rows, gold.examples, use=use).items():
        findings.append(Finding("note", "leak", text, rows[row].where))
    if found:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in Counter(leak.kind for leak in found).most_common())
        them = "it" if len(found) == 1 else "them"
        fix = f"prepare drops {them}" if use == "training" else f"remove {them}"
        overlap = "overlaps" if len(found) == 1 else "overlap"
        text = (
            f"{len(found):,} of {len(rows):,} {use} rows {overlap} the gold set ({kinds}); {fix}. "
            f"First: {rows[found[0].row].input[:60]!r}, in the gold set {asked[found[0].gold][:60]!r}"
        )
        findings.append(Finding("warning", "leak", text, rows[found[0].row].where))
    leaking = {leak.row for leak in all_found}
    rest = [row for i, row in enumerate(rows) if i not in leaking]
    rest = rest[:: max(1, -(-len(rest) // _MAX_ROWS))]
    similar = _similar([row.input for row in rest], asked)
    if similar:
        row, example = similar[0]
        are = "is" if len(similar) == 1 else "are"
        text = (
            f"{len(similar):,} of {len(rest):,} other {use} rows {are} similar to a gold question. "
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
