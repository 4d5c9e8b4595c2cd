"""Data sets of the hub and folders saved by `datasets`: class names, separate splits, errors without a network."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from project_files import Finished

from slmkit.data.hub import describe, rows_of
from slmkit.data.reading.find_files import data_files
from slmkit.data.reading.read import read_rows
from slmkit.errors import RefusedError, SlmkitError
from slmkit.stages.hub_dataset import check


def some(count, start=0):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    table = {"text": [f"text {i}" for i in range(start, start + count)], "label": [i % 2 for i in range(count)]}
    return Dataset.from_dict(table, features=features)


def test_class_ids_become_names_and_a_stream_ends_at_max_rows():
    assert list(rows_of(some(2))) == [{"text": "text 0", "label": "bad"}, {"text": "text 1", "label": "good"}]
    seen = []
    rows = list(rows_of(some(50).to_iterable_dataset(), max_rows=3, on_row=lambda: seen.append(1)))
    assert [row["label"] for row in rows] == ["bad", "good", "bad"]
    assert len(seen) == 3


def test_every_type_of_a_data_set_becomes_a_json_value():
    features = Features(
        {
            "tags": [ClassLabel(names=["O", "B-X"])],
            "record": {"kind": ClassLabel(names=["p", "q"]), "on": Value("date32")},
            "when": Value("timestamp[s]"),
            "price": Value("decimal128(5, 2)"),
            "score": Value("float64"),
            "raw": Value("binary"),
        }
    )
    row = {
        "tags": [1, 0],
        "record": {"kind": 1, "on": date(2026, 1, 31)},
        "when": datetime(2026, 1, 31, 9, 5),
        "price": Decimal("4.50"),
        "score": float("nan"),
        "raw": b"caf\xc3\xa9",
    }
    assert list(rows_of(Dataset.from_list([row], features=features))) == [
        {
            "tags": ["B-X", "O"],
            "record": {"kind": "q", "on": "2026-01-31"},
            "when": "2026-01-31T09:05:00",
            "price": "4.50",
            "score": None,
            "raw": "café",
        }
    ]
    notes = []
    pictures = Dataset.from_dict({"image": [None], "text": ["a"]}).cast_column("image", Image())
    assert list(rows_of(pictures, on_note=notes.append)) == [{"text": "a"}]
    assert notes == ["images, sounds and videos are not read: image"]
    with pytest.raises(SlmkitError) as caught:
        list(rows_of(Dataset.from_dict({"raw": [b"fine", b"\xff"]})))
    assert caught.value.where == "row 2"


def test_without_a_network_a_hub_data_set_is_refused_with_a_fix(slmkit):
    with pytest.raises(RefusedError, match="'org/name'"):
        describe("org/name", config=None, split="train", revision=None)
    done: Finished = slmkit("prepare", "data=data/hub", "dataset=org/name")
    assert done.code == 4
    assert "data=FILE" in done.error_lines[-1]


def test_a_hub_name_given_as_data_is_refused_with_the_command_to_use(slmkit):
    done: Finished = slmkit("prepare", "data=stanfordnlp/imdb")
    assert done.code == 3
    assert "data=data/hub dataset=stanfordnlp/imdb" in done.error_lines[-1]


def test_a_local_folder_given_as_a_hub_data_set_is_refused(tmp_path):
    with pytest.raises(SlmkitError, match=str(tmp_path)) as caught:
        check(dataset=str(tmp_path))
    assert caught.value.where == "with.dataset"
    assert f"data={tmp_path}" in caught.value.fix


def test_the_splits_of_a_saved_data_set_stay_separate(tmp_path):
    DatasetDict({"train": some(30), "test": some(10, 500), "unsupervised": some(10, 900)}).save_to_disk(
        str(tmp_path / "saved")
    )
    notes = []
    rows = [row.values["text"] for row in read_rows(tmp_path / "saved", on_note=notes.append)]
    assert rows == [f"text {i}" for i in range(30)]
    assert "test/data-00000-of-00001.arrow, unsupervised/data-00000-of-00001.arrow" in notes[0]
    assert next(read_rows(tmp_path / "saved" / "test")).values["text"] == "text 500"


def test_parquet_shards_of_a_folder_are_read_in_order(tmp_path):
    folder = tmp_path / "shards" / "default"
    for part, starts in (("train", (0, 10, 20)), ("test", (900,))):
        (folder / part).mkdir(parents=True)
        for i, start in enumerate(starts):
            some(10, start).to_parquet(str(folder / part / f"{i:04}.parquet"))
    assert len(data_files(tmp_path / "shards")) == 3
    assert [row.values["text"] for row in read_rows(tmp_path / "shards")] == [f"text {i}" for i in range(30)]
