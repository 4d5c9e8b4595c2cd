"""Splits in a folder are used as such; files that do not belong together are never merged unsaid."""

import bz2
import gzip
import json
import lzma

import pytest
from reading_files import fault, values, write

from slmkit.data.reading.find_files import data_files, held_out_files, validation_files
from slmkit.data.reading.split_names import split_named

CSV = "text,label\na,x\n"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("train-00000-of-00002", "train"),
        ("in_domain_train", "train"),
        ("trainingData", "train"),
        ("dev", "validation"),
        ("in_domain_dev", "validation"),
        ("validation-00000-of-00001", "validation"),
        ("test_questions", "test"),
        ("oos_test", "test"),
        ("eval", "test"),
        ("testimonials", None),
        ("latest", None),
        ("devices", None),
        ("constrained", None),
        ("train_and_test", None),
        ("trainees", None),
    ],
)
def test_a_split_is_recognised_by_a_word_of_its_name(name, split):
    assert split_named(name) == split


@pytest.mark.parametrize(
    ("files", "read", "held_out"),
    [
        (["train-0-of-2.csv", "train-1-of-2.csv", "test-0-of-1.csv"], ["train-0-of-2.csv", "train-1-of-2.csv"],
         ["test-0-of-1.csv"]),
        (["in_domain_train.tsv", "in_domain_dev.tsv", "out_of_domain_dev.tsv"], ["in_domain_train.tsv"],
         ["in_domain_dev.tsv", "out_of_domain_dev.tsv"]),
        (["train/a.csv", "test/a.csv"], ["train/a.csv"], ["test/a.csv"]),
        (["data/train.csv", "data/validation.csv"], ["data/train.csv"], ["data/validation.csv"]),
        (["testimonials.csv"], ["testimonials.csv"], []),
        (["test.csv"], ["test.csv"], []),
        (["tickets.csv", "test.csv"], ["tickets.csv"], ["test.csv"]),
        (["part-00000.csv", "part-00001.csv"], ["part-00000.csv", "part-00001.csv"], []),
        (["train.csv", "train-notes.md", "dataset_info.json", "state.json"], ["train.csv"], []),
    ],
)  # fmt: skip
def test_a_folder_gives_its_training_files_and_reserves_the_others(tmp_path, files, read, held_out):
    for name in files:
        write(tmp_path / name, CSV)
    assert [p.relative_to(tmp_path).as_posix() for p in data_files(tmp_path)] == read
    assert [p.relative_to(tmp_path).as_posix() for p in held_out_files(tmp_path)] == held_out


def test_temporary_files_of_editors_and_systems_are_left_out_and_said(tmp_path):
    for name in ("a.csv", "~$a.csv", ".~lock.a.csv#", "#a.csv#", "a.csv~", ".a.csv.swp", "__MACOSX/._a.csv",
                 "__MACOSX/a.csv", ".ipynb_checkpoints/a-checkpoint.csv", "Thumbs.db", "desktop.ini"):  # fmt: skip
        write(tmp_path / name, CSV)
    notes = []
    assert data_files(tmp_path, on_note=notes.append) == [tmp_path / "a.csv"]
    assert notes == [f"{tmp_path.name}/: left out temporary files of other programs: __MACOSX/a.csv, ~$a.csv"]


@pytest.mark.parametrize(
    ("files", "is_gold_given", "found"),
    [
        (["train.csv", "validation.csv", "test.csv"], False, ["validation.csv"]),
        (["train.csv", "dev-0.csv", "dev-1.csv", "test.csv"], False, ["dev-0.csv", "dev-1.csv"]),
        (["train.csv", "validation.csv"], False, []),
        (["train.csv", "validation.csv"], True, ["validation.csv"]),
        (["validation.csv"], True, []),
        (["train.csv", "test.csv"], True, []),
    ],
)
def test_validation_files_are_for_development_if_evaluation_has_others(tmp_path, files, is_gold_given, found):
    for name in files:
        write(tmp_path / name, CSV)
    assert [p.name for p in validation_files(tmp_path, is_gold_given=is_gold_given)] == found


def test_a_folder_of_evaluation_splits_is_asked_about(tmp_path):
    for name in ("dev.csv", "test.csv"):
        write(tmp_path / name, CSV)
    error = fault(tmp_path)
    assert "none for training: dev.csv, test.csv" in error.what
    assert error.fix.endswith("dev.csv")


def test_files_that_are_read_together_are_said(tmp_path):
    for name in ("part-0.jsonl", "part-1.jsonl"):
        write(tmp_path / name, '{"text": "a"}\n')
    notes = []
    assert len(values(tmp_path, notes)) == 2
    assert "read 2 files together: part-0.jsonl, part-1.jsonl" in notes[0]


@pytest.mark.parametrize(
    "files",
    [
        {"questions.jsonl": '{"id": 1, "text": "a"}', "references.jsonl": '{"id": 1, "choices": ["b"]}'},
        {"train_a.csv": "text,label\na,x\n", "train_b.csv": "text,topic\na,x\n"},
        {"train_a.json": '[{"text": "a"}]', "train_b.json": '[{"question": "a"}]'},
    ],
)
def test_files_of_different_columns_are_refused(tmp_path, files):
    for name, content in files.items():
        write(tmp_path / name, content)
    error = fault(tmp_path)
    assert "different columns" in error.what
    assert next(iter(files)) in error.fix


def test_a_column_that_some_json_parts_leave_out_is_said(tmp_path):
    write(tmp_path / "train-0.jsonl", '{"text": "a", "label": "x"}\n')
    write(tmp_path / "train-1.jsonl", '{"text": "b", "label": "y", "note": "z"}\n')
    notes = []
    assert len(values(tmp_path, notes)) == 2
    assert any("not all files have the same columns" in note for note in notes)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files_are_read_like_others(tmp_path, suffix, pack):
    rows = [{"text": "naïve\nlines", "label": "x"}] * 3
    content = {
        "a.csv": 'text,label\n' + '"naïve\nlines",x\n' * 3,
        "a.tsv": 'text\tlabel\n' + '"naïve\nlines"\tx\n' * 3,
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "a.json": json.dumps(rows),
    }  # fmt: skip
    for name, text in content.items():
        path = write(tmp_path / f"{name}{suffix}", pack(text.encode("utf-8-sig" if name == "a.csv" else "utf-8")))
        assert values(path) == rows, path
        path.unlink()
    write(tmp_path / f"train.csv{suffix}", pack(CSV.encode()))
    write(tmp_path / f"test.csv{suffix}", pack(CSV.encode()))
    assert values(tmp_path) == [{"text": "a", "label": "x"}]
    damaged = pack(CSV.encode() * 99)[:-9]
    assert "damaged" in fault(write(tmp_path / f"b.csv{suffix}", damaged)).what
    assert f"remove {suffix}" in fault(write(tmp_path / f"c.csv{suffix}", CSV)).fix


def test_a_compression_that_python_does_not_know_is_refused_with_its_command(tmp_path):
    path = write(tmp_path / "a.jsonl.zst", b"\x28\xb5\x2f\xfdrest")
    assert fault(path).fix == "decompress it first: zstd -d a.jsonl.zst"
    assert fault(tmp_path).fix == "decompress them first: zstd -d a.jsonl.zst"
