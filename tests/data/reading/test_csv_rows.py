"""CSV and TSV as programs write them: separators that are named, quotes that are text, words for a missing value."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_files import fault, values, write

from slmkit.data.read_canonical import read_canonical
from slmkit.data.reading.csv_rows import csv_rows
from slmkit.data.reading.encoding import Encoding

UNCLOSED = 'text\tlabel\nall fine\tpos\n"a quotation\tneg\nthat goes on\tpos\nand ends"\tpos\n'


def test_quotes_in_a_tsv_without_quoting_are_text_and_this_is_said(tmp_path):
    notes = []
    rows = values(write(tmp_path / "a.tsv", UNCLOSED), notes)
    assert [row["text"] for row in rows] == ["all fine", '"a quotation', "that goes on", 'and ends"']
    assert "quotes were read as part of the text" in notes[0]


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('text\tlabel\n"two\nlines"\tx\nb\ty\n', ["two\nlines", "b"]),  # a quoted line break
        ('text\tlabel\n"a ""b"" c"\tx\nb\ty\n', ['a "b" c', "b"]),  # doubled quotes
        ('text\tlabel\n"a"\tx\n"b"\ty\n', ["a", "b"]),  # each value of the column
        ('text\tlabel\n"a, b"\tx\nc\ty\n', ["a, b", "c"]),  # Excel quotes values with a comma
        ('text\tlabel\n"Yes."\tx\nhe said\ty\n', ['"Yes."', "he said"]),  # a reply in quotes, for no such reason
        ('text\tlabel\n"Yes," she said\tx\nb\ty\n', ['"Yes," she said', "b"]),
        ('"text"\t"label"\na\tx\nb\ty\n', ["a", "b"]),  # quotes around the column names only
        ('"text"\t"label"\n"Yes," she said\tx\nb\ty\n', ['"Yes," she said', "b"]),
        ('text\tlabel\n5" pipe\tx\nb\ty\n', ['5" pipe', "b"]),
    ],
)
def test_a_tsv_is_read_with_the_quoting_that_explains_it(tmp_path, content, texts):
    assert [row["text"] for row in values(write(tmp_path / "a.tsv", content))] == texts


texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters='"\n'), min_size=1).filter(str.strip)


@given(rows=st.lists(st.tuples(texts, st.sampled_from(("pos", "neg"))), min_size=1, max_size=6))
def test_a_tsv_written_with_quoting_keeps_its_texts(tmp_path_factory, rows):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, dialect="excel-tab")
    writer.writerows([("text", "label"), *rows])
    path = write(tmp_path_factory.mktemp("tsv") / "a.tsv", stream.getvalue())
    assert [(row["text"], row["label"]) for row in values(path)] == rows


@given(rows=st.lists(st.text("ab ,\"'", min_size=1).filter(str.strip), min_size=1, max_size=6))
def test_a_tsv_written_without_quoting_has_one_row_per_line(tmp_path_factory, rows):
    content = "id\ttext\n" + "".join(f"{i}\t{text}\n" for i, text in enumerate(rows))
    assert len(values(write(tmp_path_factory.mktemp("tsv") / "a.tsv", content))) == len(rows)


def test_a_line_that_names_the_separator_for_excel_is_skipped_and_said(tmp_path):
    for first in ("sep=;", '"sep=;"', "SEP=;"):
        notes = []
        path = write(tmp_path / "a.csv", f"\ufeff{first}\r\ntext;label\r\nWo, bitte?;x\r\n")
        assert values(path, notes) == [{"text": "Wo, bitte?", "label": "x"}]
        assert "skipped" in notes[0]
    assert fault(write(tmp_path / "b.csv", "sep=;\ntext;label\na;b\nc\n")).where.endswith("b.csv:4")
    assert values(write(tmp_path / "c.csv", "sep=,value\nx,y\n")) == [{"sep=": "x", "value": "y"}]


def test_nan_is_missing_among_numbers_and_text_elsewhere(tmp_path):
    notes = []
    rows = values(write(tmp_path / "a.csv", "text,score\nnan,1.5\nmango bread,nan\nnull,-2e3\n"), notes)
    assert rows[0] == {"text": "nan", "score": "1.5"}
    assert [row["score"] for row in rows] == ["1.5", None, "-2e3"]
    assert any("read as missing" in note and "1 word" in note for note in notes)
    assert any("read as text" in note and "2 words" in note and "line 2" in note for note in notes)


def test_a_separator_inside_a_quoted_column_name_separates_nothing(tmp_path):
    path = write(tmp_path / "a.csv", '"text, in full, as sent";label\nhello;x\n')
    assert values(path) == [{"text, in full, as sent": "hello", "label": "x"}]
    path = write(tmp_path / "b.tsv", "text, raw, full\tlabel\nhello, you\tx\n")
    assert values(path) == [{"text, raw, full": "hello, you", "label": "x"}]


def test_a_quoted_value_that_swallowed_rows_is_reported(tmp_path):
    notes = []
    content = 'text;label\nfine;pos\nbad;neg\n"so good;pos\nsaid he;neg\nat last";pos\nnice;pos\n'
    assert len(values(write(tmp_path / "a.csv", content), notes)) == 4
    assert any("1 quoted value with lines that look like whole rows (first: line 4)" in note for note in notes)
    notes.clear()
    values(write(tmp_path / "b.csv", 'text,label\n"Dear all,\nsee you soon, Jo",x\n'), notes)
    assert notes == []


def test_rows_of_a_long_file_stream(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\n" + "some words,x\n" * 20_000)
    rows = csv_rows(path, Encoding("utf-8"), on_note=lambda text: None)
    assert next(rows) == ({"text": "some words", "label": "x"}, 2)
    rows.close()


def test_one_value_in_a_row_is_said_in_the_singular(tmp_path):
    error = fault(write(tmp_path / "a.csv", "text,label\ngood,pos\nfine\nbad,neg\n"))
    assert error.what.startswith("1 value in a row, 2 columns in the header")


@pytest.mark.parametrize("mark", ["\ufeff", "\u200b", "\u00a0", "\ufeff\ufeff "])
def test_invisible_characters_around_a_name_are_no_part_of_it(tmp_path, mark):
    path = write(tmp_path / "a.csv", f"{mark}text,label{mark}\na,x\n")
    assert values(path) == [{"text": "a", "label": "x"}]


def test_a_title_above_the_header_is_named_in_the_fix(tmp_path):
    error = fault(write(tmp_path / "a.csv", "# exported today\ntext,label\na,x\n"))
    assert error.fix.startswith("remove the lines above the header line")


def test_a_table_named_txt_is_read_as_text_and_this_is_said(tmp_path):
    notes = []
    rows = "text;label\n" + "where is it, please;card\n" * 5
    assert len(values(write(tmp_path / "a.txt", rows), notes)) == 1
    assert notes == ["a.txt: read as one text, but each line has as many ';' as the first; if it is a table, name the"
                     " file .csv"]  # fmt: skip
    notes.clear()
    values(write(tmp_path / "b.txt", "Dear all,\nthis is a text.\nIt has commas, too, but\nno table, I say.\n"), notes)
    assert notes == []


def test_the_index_that_pandas_writes_is_no_overflowing_text(tmp_path):
    lines = "".join(f"{i},what is thing {i}?,l{i % 2}\n" for i in range(10))
    notes = []
    read_canonical(write(tmp_path / "a.csv", f",text,label\n{lines}"), on_note=notes.append)
    assert not any("without a name" in note for note in notes)
