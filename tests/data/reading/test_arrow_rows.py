"""Parquet and Arrow columns of every type become values that JSON has, class ids their names; the rest is refused."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow
import pyarrow.parquet
import pytest
from reading_files import fault, values, write

from slmkit.data.reading.read import read_rows


def table(path, columns, **schema):
    pyarrow.parquet.write_table(pyarrow.table(columns, **schema), path)
    return path


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 9, 5), "2026-01-31T09:05:00"),
        (time(9, 5), "09:05:00"),
        (timedelta(hours=26), "1 day, 2:00:00"),
        (Decimal("4.50"), "4.50"),
        (b"caf\xc3\xa9", "café"),
        ([Decimal("1.0"), None], ["1.0", None]),
        ({"on": date(2026, 1, 31), "n": 3}, {"on": "2026-01-31", "n": 3}),
    ],
)
def test_a_value_that_json_does_not_have_becomes_text(tmp_path, value, text):
    path = table(tmp_path / "a.parquet", {"text": ["a", "b"], "label": [value, None]})
    assert [row["label"] for row in values(path)] == [text, None]
    json.dumps(values(path))


def test_nanoseconds_maps_and_categories_are_read(tmp_path):
    path = table(
        tmp_path / "a.parquet",
        {
            "when": pyarrow.array([1_700_000_000_123_456_789], pyarrow.timestamp("ns")),
            "map": pyarrow.array([[("a", 1), ("b", 2)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
            "label": pyarrow.array(["x"]).dictionary_encode(),
        },
    )
    assert values(path) == [{"when": "2023-11-14T22:13:20.123456", "map": {"a": 1, "b": 2}, "label": "x"}]


def test_bytes_that_are_no_text_are_refused_with_their_row(tmp_path):
    error = fault(table(tmp_path / "a.parquet", {"text": [b"fine", b"\xff\xfe\x00"]}))
    assert error.where.endswith("a.parquet: row 2")
    assert "'text' holds 3 bytes that are not UTF-8" in error.what


def test_images_are_left_out_and_said(tmp_path):
    notes = []
    path = table(tmp_path / "a.parquet", {"text": ["a"], "image": [{"bytes": b"\xff\xd8", "path": "a.jpg"}]})
    assert values(path, notes) == [{"text": "a"}]
    assert "images and sounds are not read: image" in notes[0]


def test_nan_is_missing_and_an_infinity_refused(tmp_path):
    rows = values(table(tmp_path / "a.parquet", {"score": [1.5, float("nan")], "parts": [[1.5], [float("nan")]]}))
    assert rows == [{"score": 1.5, "parts": [1.5]}, {"score": None, "parts": [None]}]
    assert fault(table(tmp_path / "b.parquet", {"score": [1.0, float("inf")]})).where.endswith("b.parquet: row 2")


def test_whole_numbers_that_pandas_made_floats_are_integers_again(tmp_path):
    notes = []
    path = table(
        tmp_path / "a.parquet", {"label": [1.0, None, 3.0], "share": [1.0, None, 0.5], "sum": [1.0, 2.0, 3.0]}
    )
    assert values(path, notes)[0] == {"label": 1, "share": 1.0, "sum": 1.0}
    assert [row["label"] for row in values(path)] == [1, None, 3]
    assert "'label': floats with missing values" in notes[0]


FEATURES = {
    "label": {"_type": "ClassLabel", "names": ["bad", "good"]},
    "tags": {"_type": "Sequence", "feature": {"_type": "ClassLabel", "names": ["O", "B-X"]}},
    "record": {"kind": {"_type": "ClassLabel", "names": ["p", "q"]}, "n": {"_type": "Value", "dtype": "int64"}},
    "text": {"_type": "Value", "dtype": "string"},
}
IDS = {"text": ["a", "b"], "label": [1, -1], "tags": [[0, 1], []], "record": [{"kind": 1, "n": 1}, None]}
NAMED = [
    {"text": "a", "label": "good", "tags": ["O", "B-X"], "record": {"kind": "q", "n": 1}},
    {"text": "b", "label": None, "tags": [], "record": None},
]


def test_class_names_in_the_metadata_replace_the_ids(tmp_path):
    metadata = {b"huggingface": json.dumps({"info": {"features": FEATURES}}).encode()}
    plain = pyarrow.table(IDS)
    notes = []
    pyarrow.parquet.write_table(plain.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    assert values(tmp_path / "a.parquet", notes) == NAMED
    assert "class ids were replaced by their names in 'label'" in notes[0]


def test_class_names_beside_a_file_replace_the_ids(tmp_path):
    ids = {"text": "a", "label": 1}
    readme = (
        "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n"
        "          '0': bad\n          '1': good\n---\n# About\n"
    )
    for name, about in (
        ("dataset_info.json", json.dumps({"features": FEATURES})),
        ("dataset_infos.json", json.dumps({"default": {"features": FEATURES}})),
        ("README.md", readme),
    ):
        folder = tmp_path / name.partition(".")[0]
        write(folder / name, about)
        for file, content in (
            ("train.jsonl", json.dumps(ids)),
            ("train.csv", "text,label\na,1\n"),
            ("train.json", json.dumps([ids])),
        ):
            path = write(folder / file, content)
            assert values(path) == [{"text": "a", "label": "good"}], (name, file)
            path.unlink()
        table(folder / "train.parquet", {"text": ["a"], "label": [1]})
        assert values(folder) == [{"text": "a", "label": "good"}]


def test_a_class_id_without_a_name_is_refused_with_its_row(tmp_path):
    write(tmp_path / "dataset_info.json", json.dumps({"features": FEATURES}))
    error = fault(write(tmp_path / "a.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": 2}\n'))
    assert error.where.endswith("a.jsonl:2")
    assert "class id 2" in error.what


def test_both_kinds_of_arrow_file_are_read(tmp_path):
    plain = pyarrow.table({"text": ["a", "b"]})
    with pyarrow.ipc.new_stream(tmp_path / "a.arrow", plain.schema) as writer:
        writer.write_table(plain)
    with pyarrow.ipc.new_file(tmp_path / "b.arrow", plain.schema) as writer:
        writer.write_table(plain)
    for name in ("a.arrow", "b.arrow"):
        assert values(tmp_path / name) == [{"text": "a"}, {"text": "b"}]
    assert next(read_rows(tmp_path / "b.arrow")).where.endswith("b.arrow: row 1")


def test_half_floats_are_read(tmp_path):
    halves = pyarrow.array([0.5, 2.0, None], "float16")
    path = table(tmp_path / "a.parquet", {"text": ["a", "b", "c"], "score": halves, "n": halves.take([1, 1, 2])})
    assert [(row["score"], row["n"]) for row in values(path)] == [(0.5, 2), (2.0, 2), (None, None)]
    json.dumps(values(path))


@pytest.mark.parametrize(
    ("value", "type", "said"),
    [
        (2**30, pyarrow.date32(), "'when' is a date32[day] that cannot be converted: days=1073741824"),
        (2**60, pyarrow.timestamp("us"), "'when' is a timestamp[us] that cannot be converted"),
        (
            1,
            pyarrow.timestamp("us", tz="Mars/Base"),
            "'when' is a timestamp[us, tz=Mars/Base] that cannot be converted",
        ),
    ],
)
def test_a_value_that_python_does_not_have_is_named_with_its_column_and_row(tmp_path, value, type, said):
    columns = {"text": ["a", "b"], "when": pyarrow.array([None, value], type)}
    error = fault(table(tmp_path / "a.parquet", columns))
    assert error.what.startswith(said)
    assert error.where.endswith("a.parquet: row 2")
    assert "without 'when'" in error.fix


def test_two_columns_of_one_name_are_refused(tmp_path):
    twice = pyarrow.table([["a"], ["b"], ["c"]], names=["text", "label", "text"])
    pyarrow.parquet.write_table(twice, tmp_path / "a.parquet")
    error = fault(tmp_path / "a.parquet")
    assert error.what == "2 columns are named 'text'"
