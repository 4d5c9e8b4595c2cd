"""Reports on the labels of a data set: counts, texts with more than one label, and suspect labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.label_errors import conflicts, label_suspects
from slmkit.data.spelling_note import spelling_note
from slmkit.errors import counted

_LOPSIDED = 0.6  # of the rows with the same label: always answering it scores this much


@dataclass(frozen=True)
class LabelReport:
    """Tables and metrics by name, and notes for the user."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def label_report(rows: Sequence[CanonicalRow], *, find_suspects: bool = False, seed: int = 0) -> LabelReport:
    """The counts and conflicts of the labels and, with find_suspects, the labels that a classifier contradicts."""
    counts = Counter(row.target for row in rows)
    several = conflicts(rows)
    report = LabelReport(
        tables={"labels": [{"label": label, "rows": count} for label, count in counts.most_common()]},
        metrics={"num_labels": len(counts), "num_conflicts": len(several)},
    )
    label, most = counts.most_common(1)[0]
    if len(counts) == 1:
        report.notes.append(f"every row has the label {label!r}: there is nothing to learn")
    elif most >= _LOPSIDED * counts.total():
        share = f"{most / counts.total():.0%}"
        fix = f"To balance the labels, add the `balance` step with max_per_label={counts.most_common()[-1][1]}"
        report.notes.append(
            f"{share} of the rows have the label {label!r}, so always answering it scores {share}. {fix}"
        )
    if said := spelling_note(counts):
        report.notes.append(said)
    if several:
        report.tables["conflicts"] = several
        first = " / ".join(repr(text[:50]) for text in several[0]["inputs"][:2])
        texts = f"{counted(len(several), 'text')} {'has' if len(several) == 1 else 'have'}"
        report.notes.append(f"{texts} more than one label (conflicts.jsonl), the first is {first}")
    if find_suspects:
        suspects = label_suspects([row.input for row in rows], [row.target for row in rows], seed=seed)
        report.tables["suspects"] = [
            {"input": rows[s.row].input, "where": rows[s.row].where, **asdict(s)} for s in suspects
        ]
        report.metrics["num_label_suspects"] = len(suspects)
        labels = f"{counted(len(suspects), 'label')} {'is' if len(suspects) == 1 else 'are'}"
        report.notes.append(f"{labels} contradicted by a classifier trained on the other rows (suspects.jsonl)")
    return report
