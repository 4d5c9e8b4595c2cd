"""Class ids become names wherever they stand, and a missing value stays missing."""

from slmkit.data.reading.class_names import renamer


def test_a_missing_list_in_a_sequence_of_records_stays_missing():
    label = {"_type": "ClassLabel", "names": ["bad", "good"]}
    rename = renamer({"_type": "Sequence", "feature": {"label": label, "text": {"_type": "Value"}}})
    assert rename({"label": [1, None], "text": ["a", "b"]}) == {"label": ["good", None], "text": ["a", "b"]}
    assert rename({"label": None, "text": None}) == {"label": None, "text": None}
    assert rename(None) is None
