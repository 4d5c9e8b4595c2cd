"""JSON in every layout that programs write becomes rows with true places; what JSON does not have is refused."""

import json

import pytest
from reading_files import fault, values, write

from slmkit.data.reading.read import read_rows

ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
KEYED = [{"text": "a", "label": "x", "id": "q1"}, {"text": "b", "label": "y", "id": "q2"}]
NUMBERED = [{"text": "a", "label": "x", "id": "0"}, {"text": "b", "label": "y", "id": "1"}]


@pytest.mark.parametrize(
    ("layout", "rows"),
    [
        ({"text": ["a", "b"], "label": ["x", "y"]}, ROWS),
        ({"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}, NUMBERED),
        ({"columns": ["text", "label"], "index": [0, 1], "data": [["a", "x"], ["b", "y"]]}, ROWS),
        ({"schema": {"fields": []}, "data": ROWS}, ROWS),
        ({"version": "1.1", "count": 2, "data": ROWS, "labels": ["x", "y"]}, ROWS),
        ({"q1": ROWS[0], "q2": ROWS[1]}, KEYED),
        ({"0": ROWS[0], "1": ROWS[1]}, NUMBERED),
        ({"data": {"q1": ROWS[0], "q2": ROWS[1]}}, KEYED),
        ({"q1": "a", "q2": "b"}, [{"value": "a", "id": "q1"}, {"value": "b", "id": "q2"}]),
        ({"greet": ["a"], "part": ["c"]}, [{"section": "greet", "value": "a"}, {"section": "part", "value": "c"}]),
        ({"name": "set", "results": ROWS}, [{"section": "results", **row} for row in ROWS]),
        ({"train": {"q1": ROWS[0]}, "test": {"q2": ROWS[1]}},
         [{"section": "train", **KEYED[0]}, {"section": "test", **KEYED[1]}]),
        ({"text": ["a", "b"]}, [{"text": "a"}, {"text": "b"}]),
        ({"dataset": {"name": "set", "data": ROWS}}, ROWS),
        ({"messages": [{"role": "user", "content": "a"}]}, [{"messages": [{"role": "user", "content": "a"}]}]),
        ({"question": "a", "answer": "b"}, [{"question": "a", "answer": "b"}]),
        ({"q1": {"text": "a", "id": 7}, "q2": {"text": "b", "id": 8}},
         [{"text": "a", "id": 7, "key": "q1"}, {"text": "b", "id": 8, "key": "q2"}]),
    ],
)  # fmt: skip
def test_an_object_is_read_in_its_layout(tmp_path, layout, rows):
    assert values(write(tmp_path / "a.json", json.dumps(layout))) == rows


def test_how_an_object_was_read_is_said(tmp_path):
    for layout, said in (
        ({"text": ["a"], "label": ["x"]}, "an object of columns"),
        ({"q1": "a", "q2": "b"}, "keyed by id"),
        ({"data": ROWS, "labels": ["x", "y"], "meta": {"n": 1}}, "not read: labels, meta"),
    ):
        notes = []
        values(write(tmp_path / "a.json", json.dumps(layout)), notes)
        assert any(said in note for note in notes), layout


def test_columns_of_different_lengths_are_refused(tmp_path):
    error = fault(write(tmp_path / "a.json", '{"text": ["a", "b"], "label": ["x"]}'))
    assert "text 2, label 1" in error.what


def test_a_repeated_id_is_refused(tmp_path):
    error = fault(write(tmp_path / "a.json", '{"q1": {"text": "a"}, "q1": {"text": "b"}}'))
    assert "'q1'" in error.what


def test_a_place_in_a_json_list_is_true(tmp_path):
    beside = list(read_rows(write(tmp_path / "e.json", json.dumps({"labels": ["x", "y"], "data": ROWS}))))
    assert beside[1].where.endswith("e.json: item 2")
    in_one_line = list(read_rows(write(tmp_path / "a.json", json.dumps(ROWS))))
    assert in_one_line[1].where.endswith("a.json: item 2")
    in_lines = list(read_rows(write(tmp_path / "b.json", json.dumps(ROWS, indent=1))))
    assert in_lines[1].where.endswith("b.json: item 2 (line 6)")
    assert in_lines[1].line == 2
    by_id = list(read_rows(write(tmp_path / "c.json", json.dumps({"q1": ROWS[0], "q2": ROWS[1]}))))
    assert by_id[1].where.endswith("c.json: item 2")
    error = fault(write(tmp_path / "d.json", json.dumps(ROWS)[:-3] + "]"))
    assert error.where.endswith("d.json: item 2")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_nan_is_missing_and_said(tmp_path, name):
    lines = ['{"text": "a", "label": NaN}', '{"text": "b", "label": [1.5, NaN]}']
    content = "\n".join(lines) if name == "a.jsonl" else f"[{','.join(lines)}]"
    notes = []
    assert [row["label"] for row in values(write(tmp_path / name, content), notes)] == [None, [1.5, None]]
    assert f"{name}: 2 values are NaN, read as missing" in notes


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", '"\\ud83d"', '"\\uDE00\\uD83D"'])
def test_what_is_no_json_value_is_refused_with_its_place(tmp_path, value):
    bad = f'{{"text": "a", "label": {value}}}'
    good = '{"text": "\\ud83d\\ude00", "label": "x"}'
    assert fault(write(tmp_path / "a.jsonl", f"{good}\n{bad}\n")).where.endswith("a.jsonl:2")
    assert fault(write(tmp_path / "b.json", f"[{good}, {bad}]")).where.endswith("b.json: item 2")
    assert fault(write(tmp_path / "c.json", f'{{"q1": {good}, "q2": {bad}}}')).exit_code == 3
    assert values(write(tmp_path / "d.json", f"[{good}]"))[0]["text"] == "\U0001f600"


def test_files_appended_with_their_byte_order_marks_are_read(tmp_path):
    part = b'\xef\xbb\xbf{"text": "a"}\n'
    assert values(write(tmp_path / "a.jsonl", part * 2)) == [{"text": "a"}] * 2


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ('{"text": "a"},', "remove the comma"),
        ("{'text': 'a'}", "double quotes"),
        ("{'text': 'a'},", "double quotes"),
        ('{"text":', "name the file .json"),
    ],
)
def test_the_fix_for_a_broken_line_names_what_is_wrong_with_it(tmp_path, line, fix):
    assert fix in fault(write(tmp_path / "a.jsonl", f"{line}\n{line}\n")).fix
