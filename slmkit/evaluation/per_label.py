"""A table with one row per label of a classification."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.metrics._text import normalised
from slmkit.types import Answer, Example


def label_rows(examples: Sequence[Example], answers: Sequence[Answer]) -> list[dict[str, float | int | str]]:
    """Precision, recall and F1 of every label of the gold set, and its most frequent confusion; lowest F1 first."""
    from sklearn.metrics import precision_recall_fscore_support

    targets = [normalised(example.target) for example in examples]
    predicted = [normalised(answer.text) for answer in answers]
    names = {normalised(example.target): example.target for example in examples}
    labels = sorted(names)
    found = precision_recall_fscore_support(targets, predicted, labels=labels, zero_division=0)
    rows: list[dict[str, float | int | str]] = []
    for label, precision, recall, f1, n in zip(labels, *found, strict=True):
        wrong = [s for t, s in zip(targets, predicted, strict=True) if t == label and s != label]
        taken_for = max(sorted(set(wrong)), key=wrong.count) if wrong else ""
        row: dict[str, float | int | str] = {"label": names[label], "n": int(n), "f1": round(float(f1), 3)}
        row |= {"precision": round(float(precision), 3), "recall": round(float(recall), 3)}
        rows.append(row | {"taken_for": names.get(taken_for, taken_for), "times": wrong.count(taken_for)})
    return sorted(rows, key=lambda row: (row["f1"], row["label"]))
