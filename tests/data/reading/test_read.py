"""Every supported file becomes rows with correct line numbers; every broken file an error that names the line."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reading_files import fault, write

from slmkit.data.reading.find_files import data_files, held_out_files
from slmkit.data.reading.header import doubtful_header
from slmkit.data.reading.read import read_rows
from slmkit.data.reading.repair_encoding import repair_encoding
from slmkit.errors import SlmkitError


def test_csv_rows_have_the_line_they_begin_on(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"one\ntwo",x\n\nthree,y\n')
    assert [(row.values["text"], row.line) for row in read_rows(path)] == [("one\ntwo", 2), ("three", 5)]


def test_a_semicolon_separated_csv_is_read_and_reported(tmp_path):
    notes = []
    path = write(tmp_path / "a.csv", "text;label\nyes, please;x\n")
    assert next(read_rows(path, on_note=notes.append)).values == {"text": "yes, please", "label": "x"}
    assert "';'" in notes[0]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    for encoding in ("utf-8-sig", "utf-16"):
        path = write(tmp_path / "a.csv", "text,label\nä,x\n".encode(encoding))
        assert next(read_rows(path)).values == {"text": "ä", "label": "x"}


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("the café and the fiancée", "cp1252", "cp1252"),
        ("Съешь ещё этих мягких французских булок да выпей чаю", "cp1251", "cp1251"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy", "cp1250", "cp1250"),
        ("Kartım nerede? Ödeme reddedildi ve ücret olması gerekenden yüksek şaşırdım doğru değil", "cp1254", "cp1254"),
        ("Où est la carte déjà commandée ? Ça n'arrive pas à l'hôtel", "cp1252", "cp1252"),
    ],
)
def test_other_encodings_are_detected_and_reported(tmp_path, text, encoding, found):
    notes = []
    path = write(tmp_path / "a.csv", f"text,label\n{text},x\n".encode(encoding))
    assert next(read_rows(path, on_note=notes.append)).values["text"] == text
    assert found in notes[0]
    assert "line 2" in notes[0]


def test_mojibake_saved_on_an_old_mac_can_be_repaired(tmp_path):
    once = "a £5 prize and £100 more".encode().decode("cp1252")  # wrongly decoded: "Â£5"
    path = write(tmp_path / "a.csv", f"text,label\n{once},x\n".encode("mac_roman"))
    notes = []
    text = next(read_rows(path, on_note=notes.append)).values["text"]
    assert "mac_roman" in notes[0]
    assert repair_encoding(text) == "a £5 prize and £100 more"


def test_a_repeated_key_is_refused_with_its_line(tmp_path):
    for name, text, line in (
        ("a.jsonl", '{"text": "a"}\n{"text": "b", "text": "c"}\n', 2),
        ("a.json", '[{"text": "a"},\n\n {"text": "b", "text": "c"}]', 3),
        ("b.json", '{"one": [{"text": "a"}],\n "two": [{"text": "b", "text": "c"}]}', 2),
        ("c.json", '\n{"text": "b", "text": "c"}', 2),
    ):
        error = fault(write(tmp_path / name, text.encode()))
        assert "'text'" in error.what
        assert error.where.endswith(f"{name}:{line}")


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("Where is my card?,card", "'card' occurs 2 times"),
        ("I still wait for a card,other", "'I still wait for a card'"),
        ("4.5,other", "'4.5'"),
        ("text,label", None),
        ("0,1", None),
    ],
)
def test_a_first_line_that_looks_like_data_is_reported(tmp_path, first, why):
    path = write(tmp_path / "a.csv", f"{first}\nmy card is late,card\nlost it,card\nhow long,time\n".encode())
    doubt = doubtful_header(list(read_rows(path)))
    assert (doubt is None) if why is None else why in doubt


def test_one_damaged_line_does_not_change_the_encoding_of_the_others(tmp_path):
    notes = []
    path = write(tmp_path / "a.csv", b"text\n" + "où\n".encode() * 20 + b"caf\xe9\n")
    rows = list(read_rows(path, on_note=notes.append))
    assert rows[0].values["text"] == "où"
    assert rows[-1].values["text"] == "café"
    assert "line 22, byte 0xe9" in notes[0]


def test_a_named_encoding_that_does_not_fit_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", b"text,label\ncaf\xe9,x\n")
    error = fault(path, encoding="utf-8")
    assert error.where.endswith("a.csv:2")
    assert "0xe9" in error.what


@pytest.mark.parametrize(
    ("name", "content", "line", "value"),
    [
        ("a.csv", "", 1, ""),
        ("a.csv", "text,label\n", 1, ""),
        ("a.csv", "text,label\na,b\nc,d,e\n", 3, "'c,d,e'"),
        ("a.csv", 'text,label\na,b\n"c,d\n', 3, "CSV"),
        ("a.csv", "text,text\na,b\n", 1, "'text'"),
        ("a.tsv", "text\tlabel\na\n", 2, "'a'"),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', 2, "JSON"),
        ("a.jsonl", '{"text": "a"}\n\n["b"]\n', 3, "list"),
        ("a.json", '[{"text": "a"},\n{"text" "b"}]', 2, "JSON"),
        ("a.json", '[{"text": "a"},\n{"text": "b"}', 2, "end of the file"),
        ("a.json", "12", 1, "JSON"),
        ("a.csv", b"text,label\na\0,b\n", 2, "a.csv"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path, name, content, line, value):
    error = fault(write(tmp_path / name, content))
    assert error.where.endswith(f"{name}:{line}")
    assert value in error.what


def test_an_encoding_that_fits_only_the_first_lines_is_refused_at_the_line(tmp_path):
    lines = ["the café and the fiancée were déjà vu here".encode("cp1252")] * 2000
    path = write(tmp_path / "a.csv", b"\n".join([b"text", *lines, b"\x81\x8d\x8f\x90", b""]))
    assert fault(path, encoding="cp1252").where.endswith("a.csv:2002")
    assert "'cp-1252x'" in fault(path, encoding="cp-1252x").what


def test_a_file_of_random_bytes_is_read_or_refused(tmp_path):
    contents = {
        ".csv": b'text,label\n"a, b",x\n"multi\nline",y\nplain,z\n',
        ".jsonl": b'{"text":"a","label":"x"}\n{"text":"b\\n","label":"y"}\n',
        ".json": b'{"train":[{"text":"a"},["b",1],"c"],"x":{"y":[1,2]}}\n',
        ".md": b"---\ntitle: x\n---\n# h\ntext\n",
        ".html": b"<html><p>a &amp; b</p><script>x</script></html>",
    }
    rng = random.Random(0)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(600):
        suffix = rng.choice(list(contents))
        content = bytearray(contents[suffix])
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(content))
            content[at : at + rng.randint(0, 3)] = bytes(rng.choice(b'"\0\n\r,{}[]\x80\xc3\xe9\xff') for _ in range(2))
        path = write(tmp_path / f"a{suffix}", bytes(content))
        try:
            list(read_rows(path))
            outcomes["read"] += 1
        except SlmkitError as error:
            assert len(str(error).splitlines()) == 3
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100


def test_binary_files_are_refused_by_their_format(tmp_path):
    assert "Excel" in fault(write(tmp_path / "a.csv", b"PK\x03\x04rest")).fix
    assert "gunzip" in fault(write(tmp_path / "a.jsonl", b"\x1f\x8b\x08rest")).fix
    assert ".xlsx" in fault(write(tmp_path / "a.xlsx", b"PK")).what
    assert "Parquet" in fault(write(tmp_path / "a.parquet", b"no parquet at all")).what


def test_the_error_for_a_missing_file_suggests_a_similar_name(tmp_path):
    write(tmp_path / "train.csv", "text\na\n")
    assert "train.csv" in fault(tmp_path / "trian.csv").fix


def test_an_error_is_reported_within_a_second_and_without_torch(tmp_path):
    write(tmp_path / "a.csv", "text,label\n" + "some words,x\n" * 5000 + "ragged\n")
    script = (
        "import sys; from pathlib import Path; from slmkit.data.reading.read import read_rows\n"
        "try: list(read_rows(Path(sys.argv[1])))\n"
        "except Exception as error: print(error)\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.csv")], capture_output=True, text=True, check=True
    )
    assert "a.csv:5002" in done.stdout
    assert time.perf_counter() - start < 1.5  # the interpreter and pydantic included


def test_json_in_every_layout_gives_the_same_rows(tmp_path):
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    layouts = [json.dumps(rows), json.dumps({"data": rows}, indent=1), "\n".join(map(json.dumps, rows))]
    for layout in layouts:
        assert [row.values for row in read_rows(write(tmp_path / "a.json", layout))] == rows


def test_json_sections_become_a_column(tmp_path):
    path = write(tmp_path / "a.json", '{"train": [["hi", "greet"]],\n "test": [["bye", "part"]]}')
    rows = list(read_rows(path))
    assert rows[1].values == {"section": "test", "0": "bye", "1": "part"}
    assert [row.line for row in rows] == [1, 2]


def test_parquet_rows_equal_those_written(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = [{"text": f"row {i}", "label": i % 2} for i in range(3000)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    read = list(read_rows(tmp_path / "a.parquet"))
    assert [row.values for row in read] == rows
    assert read[-1].line == 3000


def test_a_folder_saved_by_datasets_gives_its_rows(tmp_path):
    from datasets import Dataset

    rows = [{"text": f"row {i}", "label": i % 2} for i in range(50)]
    Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    assert [row.values for row in read_rows(tmp_path / "saved")] == rows


def test_a_folder_of_documents_gives_one_row_per_file(tmp_path):
    (tmp_path / "sub").mkdir()
    write(
        tmp_path / "b.html", "<html><head><title>no</title></head><body><p>One &amp; two</p><script>x</script></body>"
    )
    write(tmp_path / "sub" / "a.md", "---\ntitle: no\n---\n# Head\n\nBody.\n")
    write(tmp_path / "LICENSE.txt", "words")
    rows = [row.values for row in read_rows(tmp_path)]
    assert rows == [{"path": "b.html", "text": "One & two"}, {"path": "sub/a.md", "text": "# Head\n\nBody.\n"}]


def test_an_empty_document_is_skipped_and_reported(tmp_path):
    write(tmp_path / "a.txt", b"one")
    write(tmp_path / "b.html", b"")
    notes = []
    assert [row.values["path"] for row in read_rows(tmp_path, on_note=notes.append)] == ["a.txt"]
    (note,) = notes
    assert "b.html" in note and "1 of 2" in note


def test_a_data_folder_gives_its_training_file_and_keeps_the_test_file(tmp_path):
    for name in ("train.csv", "test.csv", "validation.csv"):
        write(tmp_path / name, "text,label\na,x\n")
    write(tmp_path / "README.md", "about")
    assert [path.name for path in data_files(tmp_path)] == ["train.csv"]
    assert [path.name for path in held_out_files(tmp_path)] == ["test.csv"]


def test_tables_of_the_same_columns_are_read_together_and_said(tmp_path):
    write(tmp_path / "customers.csv", "text\na\n")
    write(tmp_path / "orders.csv", "text\nb\n")
    notes = []
    assert [row.values["text"] for row in read_rows(tmp_path, on_note=notes.append)] == ["a", "b"]
    assert f"customers.csv, orders.csv (to read only one: data={tmp_path / 'customers.csv'})" in notes[0]
    assert len(list(read_rows(tmp_path / "customers.csv"))) == 1


def test_tables_of_other_columns_or_formats_are_refused_with_a_fix_that_works(tmp_path):
    write(tmp_path / "customers.csv", "text\na\n")
    for name, content in (("orders.csv", "number\n1\n"), ("customers.jsonl", '{"text": "a"}\n')):
        other = write(tmp_path / name, content)
        error = fault(tmp_path)
        assert name in error.what
        assert len(list(read_rows(Path(error.fix.partition("data=")[2])))) == 1
        other.unlink()


def test_csv_spectrum_is_read_as_expected(shared_data):
    folder = shared_data / "text_faults" / "csv_spectrum"
    cases = sorted((folder / "csvs").glob("*.csv"))
    assert len(cases) == 11
    for case in cases:
        expected = json.loads((folder / "json" / f"{case.stem}.json").read_text())
        read = [row.values for row in read_rows(case)]
        assert [{k: v.replace("\r\n", "\n") for k, v in row.items()} for row in expected] == read, case.name


@pytest.mark.parametrize("line", ['{"a": -Infinity}', '{"a": "\\ud800"}', "[" * 100_000])
def test_invalid_json_is_refused_with_its_line(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + line + "\n")
    assert fault(path).where.endswith("rows.jsonl:2")
