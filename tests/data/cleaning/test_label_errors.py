"""Deliberately wrong labels are among the suspects; clear labels are not."""

import random

from slmkit.data.cleaning.label_errors import label_suspects
from slmkit.data.reading.read import read_rows


def test_deliberately_wrong_labels_are_suspects(shared_data):
    rows = [row.values for row in read_rows(shared_data / "banking77" / "train.csv")]
    names = sorted({row["category"] for row in rows})[:12]
    rows = [row for row in rows if row["category"] in names]
    rng = random.Random(0)
    changed = set(rng.sample(range(len(rows)), len(rows) // 20))
    labels = [
        rng.choice([name for name in names if name != row["category"]]) if i in changed else row["category"]
        for i, row in enumerate(rows)
    ]
    suspects = {suspect.row for suspect in label_suspects([row["text"] for row in rows], labels)}
    assert len(suspects & changed) / len(changed) >= 0.75
    assert len(suspects & changed) / len(suspects) >= 0.6


def test_clear_labels_are_not_suspects():
    texts = [f"{word} {i}" for word in ("apple pie", "steel bolt") for i in range(20)]
    assert label_suspects(texts, ["food"] * 20 + ["tool"] * 20) == []
    assert label_suspects(texts, ["one"] * 40) == []
