"""Rows whose label a classifier trained on the other rows doubts: confident learning.

Four times a linear classifier over words and word pairs learns from three quarters of the rows and judges the rest. A
row is suspect when another label is more likely than its own and at least as likely as that label is, on average,
where it is given (Northcutt, Jiang and Chuang 2021, https://doi.org/10.1613/jair.1.12125). A suspect is a row to read,
not a wrong one: of labels changed at random in 5 % of banking77 (77 labels) 69 % are found, and 62 % of the suspects
are such; what remains are hard rows and the set's own errors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slmkit.data.convert import Canonical
from slmkit.text.identity import text_hash

_FOLDS = 4


def conflicts(rows: Sequence[Canonical]) -> list[dict[str, Any]]:
    """Texts that carry different labels, each with its labels and lines: a model cannot learn both."""
    by_text: dict[str, list[Canonical]] = {}
    for row in rows:
        by_text.setdefault(text_hash(row.input), []).append(row)
    return [
        {"input": same[0].input, "labels": [row.target for row in same], "lines": [row.where for row in same]}
        for same in by_text.values()
        if len({row.target for row in same}) > 1
    ]


@dataclass(frozen=True)
class Suspect:
    """A row, the label it has, the one the classifier would give, and how much surer it is of the latter."""

    row: int
    label: str
    likelier: str
    margin: float


def label_suspects(texts: Sequence[str], labels: Sequence[str], *, seed: int = 0) -> list[Suspect]:
    """The doubtful rows, the surest doubt first; rows of labels seen fewer than 4 times are not judged.

    Example: 10,003 rows with 77 labels take 8 s on one core.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    counts = Counter(labels)
    rows = [i for i, label in enumerate(labels) if counts[label] >= _FOLDS]
    names = sorted({labels[i] for i in rows})
    if len(names) < 2:
        return []
    number = {name: j for j, name in enumerate(names)}
    given = np.array([number[labels[i]] for i in rows])
    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit_transform([texts[i] for i in rows])
    classifier = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=seed)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    chances = cross_val_predict(classifier, vectors, given, cv=folds, method="predict_proba")  # (N, labels)
    usual = np.array([chances[given == j, j].mean() for j in range(len(names))])
    own = chances[np.arange(len(rows)), given]
    others = np.where(chances >= usual, chances, 0.0)
    others[np.arange(len(rows)), given] = 0.0
    best = others.argmax(axis=1)
    margin = others.max(axis=1) - own
    found = [
        Suspect(rows[k], names[given[k]], names[best[k]], round(float(margin[k]), 3))
        for k in np.flatnonzero(margin > 0).tolist()
    ]
    return sorted(found, key=lambda suspect: -suspect.margin)
