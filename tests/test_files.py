"""Files are written whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slmkit.files import read_jsonl, sha256_of, to_yaml, write_atomically, write_folder_atomically


def test_a_write_that_fails_midway_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old\n")

    def fails_midway() -> Iterator[str]:
        yield "new\n"
        assert path.read_text() == "old\n"  # a reader, or a kill, at this moment finds the old file
        raise OSError

    with pytest.raises(OSError):
        write_atomically(path, fails_midway())
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_that_has_the_file_open_reads_the_old_one_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old\n")
    with open(path, encoding="utf-8") as reader:
        write_atomically(path, "new\n")
        assert reader.read() == "old\n"
    assert path.read_text() == "new\n"


def test_one_hash_covers_several_files_in_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"a")
    two.write_bytes(b"b")
    assert sha256_of([one, two]) == "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"  # of b"ab"
    assert sha256_of([two, one]) != sha256_of([one, two])


def test_yaml_keeps_the_order_of_keys() -> None:
    assert to_yaml({"b": 1, "a": [1, "x"]}) == "b: 1\na:\n- 1\n- x\n"


def test_a_folder_is_written_whole_and_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_folder_atomically(folder, {"a.txt": "old", "b.txt": "kept"})
    with pytest.raises(OSError):
        write_folder_atomically(folder, {"a.txt": "new"})
    assert (folder / "a.txt").read_text() == "old"
    write_folder_atomically(folder, {"a.txt": "new"}, replace=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.txt": "new", "b.txt": "kept"}
    with pytest.raises(OSError):
        write_folder_atomically(folder, {"no/such/folder.txt": "x"}, replace=True)
    assert (folder / "a.txt").read_text() == "new"
    assert list(tmp_path.iterdir()) == [folder]


def test_an_interrupt_between_the_two_moves_keeps_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gold"
    write_folder_atomically(folder, {"a.txt": "old"})
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder_atomically(folder, {"a.txt": "new"}, replace=True)
    assert (folder / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_jsonl_lines_end_at_newlines_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "x\u2028y\x85z"}\n\n{"a": 2}\n', encoding="utf-8")
    assert read_jsonl(path) == [{"a": "x\u2028y\x85z"}, {"a": 2}]
