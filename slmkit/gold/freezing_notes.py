"""What the user should know about a gold set that was just frozen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.read_canonical import CanonicalData
from slmkit.data.spelling_note import spelling_note
from slmkit.errors import counted
from slmkit.gold.choose import Groups, apart_ids
from slmkit.gold.gold_set import Gold


def freezing_notes(
    gold: Gold,
    rows: CanonicalData,
    parts: Sequence[CanonicalData],
    removed: Mapping[str, int],
    groups: Groups,
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
    if labels and (said := spelling_note(Counter(row.target for row in rows.rows))):
        notes.append(said)
    notes += _group_notes(gold, groups, is_chosen=not parts)
    notes += _answer_notes([row for part in parts for row in part.rows] if parts else rows.rows, gold)
    counts = ", ".join(f"{count:,} {reason}" for reason, count in removed.items() if count)
    notes.append(
        f"froze {counted(len(gold.examples), 'gold example')} in {gold.folder}"
        + (f" and {len(gold.dev):,} for development" if gold.dev else f"; none for development: {_why_no_dev(rows)}")
        + (f"; removed {counts}" if counts else "")
    )
    return notes


def _why_no_dev(rows: CanonicalData) -> str:
    if "messages" not in rows.rows[0].values:
        return "the training rows are not questions with one correct answer"
    return "too few other questions, or all of them like gold questions or in their groups"


def _group_notes(gold: Gold, groups: Groups, *, is_chosen: bool) -> list[str]:
    """How many whole groups or passages were chosen, and what becomes of the other rows of them."""
    if not gold.apart or not groups.of:
        return []
    whole = "whole " if groups.are_whole and is_chosen else ""
    of_gold, of_dev = (len(apart_ids(examples, groups)) for examples in (gold.examples, gold.dev))
    total = len(set(groups.of.values()))
    said = f"{of_gold:,} of {counted(total, groups.noun)} for gold and {of_dev:,} for development"
    return [f"{whole}{groups.noun}s stay together: {said}; prepare drops the other rows of these"]


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
