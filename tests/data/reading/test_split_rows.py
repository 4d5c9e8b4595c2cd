"""Splits inside one file are used as such: training rows to train on, test rows to evaluate on."""

import json

import pytest
from reading_files import write

from slmkit.data.reading.split_rows import development_files, evaluation_files, read_split

SPLITS = {"train": ["a", "b"], "oos_train": ["c"], "val": ["d"], "test": ["e", "f"], "oos_test": ["g"]}


def texts(path, use, notes=None):
    return [row.values["value"] for row in read_split(path, use=use, on_note=None if notes is None else notes.append)]


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.jsonl"])
def test_the_rows_of_each_use_are_read_and_the_others_said(tmp_path, name):
    rows = [{"value": value, "split": split} for split, values in SPLITS.items() for value in values]
    content = {
        "a.json": json.dumps(SPLITS),
        "a.csv": "value,split\n" + "".join(f"{row['value']},{row['split']}\n" for row in rows),
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    path = write(tmp_path / name, content[name])
    notes = []
    assert texts(path, "training", notes) == ["a", "b", "c"]
    assert texts(path, "evaluation") == ["e", "f", "g"]
    assert any("for training: train 2, oos_train 1; others: val 1, test 2, oos_test 1" in note for note in notes)
    assert texts(path, "development") == ["d"]
    assert evaluation_files(path) == development_files(path) == [path]


def test_without_test_rows_the_validation_rows_are_for_evaluation(tmp_path):
    path = write(tmp_path / "a.json", json.dumps({"train": ["a"], "dev": ["b"]}))
    assert (texts(path, "training"), texts(path, "evaluation")) == (["a"], ["b"])
    assert development_files(path) == []
    assert development_files(path, is_gold_given=True) == [path]


@pytest.mark.parametrize(
    "sections", [{"test": ["a"], "val": ["b"]}, {"greet": ["a"], "part": ["b"]}, {"train": ["a", "b"]}]
)
def test_a_file_without_both_uses_is_read_whole(tmp_path, sections):
    path = write(tmp_path / "a.json", json.dumps(sections))
    assert texts(path, "training") == texts(path, "evaluation") == ["a", "b"]
    assert evaluation_files(path) == development_files(path, is_gold_given=True) == []


def test_a_folder_keeps_its_test_file_for_evaluation(tmp_path):
    for name in ("train.csv", "test.csv"):
        write(tmp_path / name, "value\na\n")
    assert [path.name for path in evaluation_files(tmp_path)] == ["test.csv"]


def test_the_splits_of_a_public_set_are_kept_apart(shared_data):
    rows = read_split(shared_data / "clinc150" / "data_full.json", use="evaluation")
    assert sum(1 for _ in rows) == 5_500  # 4,500 test and 1,000 oos_test
