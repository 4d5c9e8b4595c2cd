"""What the labels of some rows look like: how often each stands, texts that carry several, labels to doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from slmkit.data.cleaning.label_errors import conflicts, label_suspects
from slmkit.data.convert import Canonical

_LOPSIDED = 0.6  # of the rows with one label: a model that has learnt nothing scores as much


@dataclass(frozen=True)
class LabelReport:
    """Tables by name, numbers by name, and sentences for the user."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def label_report(rows: Sequence[Canonical], *, find_suspects: bool = False, seed: int = 0) -> LabelReport:
    """The counts and conflicts of the labels, and on request those that a classifier doubts."""
    counts = Counter(row.target for row in rows)
    several = conflicts(rows)
    told = LabelReport(
        tables={"labels": [{"label": label, "rows": count} for label, count in counts.most_common()]},
        metrics={"num_labels": len(counts), "num_conflicts": len(several)},
    )
    label, most = counts.most_common(1)[0]
    if len(counts) == 1:
        told.notes.append(f"every row has the label {label!r}: there is nothing to learn")
    elif most >= _LOPSIDED * counts.total():
        even = f"steps: […, balance] max_per_label={counts.most_common()[-1][1]} evens the labels"
        told.notes.append(
            f"{label!r} is the label of {most / counts.total():.0%} of the rows, and right as often; {even}"
        )
    if alike := _alike(counts):
        each = "; ".join(", ".join(f"{label!r} × {counts[label]:,}" for label in group) for group in alike[:3])
        more = f"; and {len(alike) - 3:,} more" if len(alike) > 3 else ""
        told.notes.append(f"labels that differ only in capitals or spaces: {each}{more}; write them in one way")
    if several:
        told.tables["conflicts"] = several
        told.notes.append(f"{len(several):,} texts carry different labels (conflicts.jsonl)")
    if find_suspects:
        suspects = label_suspects([row.input for row in rows], [row.target for row in rows], seed=seed)
        told.tables["suspects"] = [
            {"input": rows[s.row].input, "where": rows[s.row].where, **asdict(s)} for s in suspects
        ]
        told.metrics["num_label_suspects"] = len(suspects)
        doubt = "labels are doubtful to a classifier trained on the other rows (suspects.jsonl)"
        told.notes.append(f"{len(suspects):,} {doubt}")
    return told


def _alike(counts: Counter[str]) -> list[list[str]]:
    """Labels that are the same once capitals and spaces are set aside, the commonest first."""
    groups: dict[str, list[str]] = {}
    for label, _ in counts.most_common():
        groups.setdefault(" ".join(label.lower().split()), []).append(label)
    return [group for group in groups.values() if len(group) > 1]
