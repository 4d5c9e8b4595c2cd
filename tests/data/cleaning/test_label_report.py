"""The label report names labels that differ only in case or whitespace."""

from pathlib import Path

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.label_report import label_report


def rows(*labels):
    return [CanonicalRow({}, f"text {i}", label, Path("a.csv"), i) for i, label in enumerate(labels)]


def test_labels_that_differ_only_in_case_are_reported():
    [note] = label_report(rows("Cards", "loans", "cards", "loans", "cards")).notes
    assert "'cards' × 2, 'Cards' × 1" in note and "loans" not in note


def test_labels_that_differ_in_more_than_case_are_not_reported():
    assert label_report(rows("card", "cards", "Maße", "Masse")).notes == []


def test_one_text_with_several_labels_is_said_in_the_singular():
    twice = [CanonicalRow({}, "the same text", label, Path("a.csv"), i) for i, label in enumerate(("card", "loan"))]
    assert any(note.startswith("1 text has more than one label") for note in label_report(twice).notes)
