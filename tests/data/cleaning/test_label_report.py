"""What is told of labels: those written in two ways are named, others are not."""

from pathlib import Path

from slmkit.data.cleaning.label_report import label_report
from slmkit.data.convert import Canonical


def rows(*labels):
    return [Canonical({}, f"text {i}", label, Path("a.csv"), i) for i, label in enumerate(labels)]


def test_labels_that_differ_only_in_capitals_are_named():
    [note] = label_report(rows("Cards", "loans", "cards", "loans", "cards")).notes
    assert note == "labels that differ only in capitals or spaces: 'cards' × 2, 'Cards' × 1; write them in one way"


def test_labels_that_differ_in_more_are_not_named():
    assert label_report(rows("card", "cards", "Maße", "Masse")).notes == []
