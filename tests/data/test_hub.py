"""Data sets of the hub and of `datasets` folders: labels by name, splits apart, and no network says what to do."""

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from project_files import Finished

from slmkit.data.hub import describe, rows_of
from slmkit.data.read import data_files, read_rows
from slmkit.errors import RefusedError, SlmkitError
from slmkit.stages.hub_dataset import check


def some(count, start=0):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    table = {"text": [f"text {i}" for i in range(start, start + count)], "label": [i % 2 for i in range(count)]}
    return Dataset.from_dict(table, features=features)


def test_labels_are_written_by_their_names_and_a_stream_ends_at_max_rows():
    assert list(rows_of(some(2))) == [{"text": "text 0", "label": "bad"}, {"text": "text 1", "label": "good"}]
    seen = []
    rows = list(rows_of(some(50).to_iterable_dataset(), max_rows=3, on_row=lambda: seen.append(1)))
    assert [row["label"] for row in rows] == ["bad", "good", "bad"]
    assert len(seen) == 3


def test_without_a_network_a_name_of_the_hub_is_refused_with_what_to_do(slmkit):
    with pytest.raises(RefusedError, match="'org/name' is not on this disk, and the hub does not answer"):
        describe("org/name", config=None, split="train", revision=None)
    done: Finished = slmkit("prepare", "data=data/hub", "dataset=org/name")
    assert done.code == 4
    assert "data=FILE" in done.error_lines[-1]


def test_a_name_of_the_hub_given_as_a_file_is_told_the_way(slmkit):
    done: Finished = slmkit("prepare", "data=stanfordnlp/imdb")
    assert done.code == 3
    assert "data=data/hub dataset=stanfordnlp/imdb" in done.error_lines[-1]


def test_a_folder_here_is_named_as_data(tmp_path):
    with pytest.raises(SlmkitError, match="is a file or folder here"):
        check(dataset=str(tmp_path))


def test_the_splits_of_a_saved_data_set_stay_apart(tmp_path):
    DatasetDict({"train": some(30), "test": some(10, 500), "unsupervised": some(10, 900)}).save_to_disk(
        str(tmp_path / "saved")
    )
    notes = []
    rows = [row.values["text"] for row in read_rows(tmp_path / "saved", on_note=notes.append)]
    assert rows == [f"text {i}" for i in range(30)]
    assert "left test/data-00000-of-00001.arrow, unsupervised/data-00000-of-00001.arrow" in notes[0]
    assert next(read_rows(tmp_path / "saved" / "test")).values["text"] == "text 500"


def test_a_folder_of_parquet_shards_is_read_in_order(tmp_path):
    folder = tmp_path / "shards" / "default"
    for part, starts in (("train", (0, 10, 20)), ("test", (900,))):
        (folder / part).mkdir(parents=True)
        for i, start in enumerate(starts):
            some(10, start).to_parquet(str(folder / part / f"{i:04}.parquet"))
    assert len(data_files(tmp_path / "shards")) == 3
    assert [row.values["text"] for row in read_rows(tmp_path / "shards")] == [f"text {i}" for i in range(30)]
