"""A CoNLL file becomes sentences with their entities, in each of its tag schemes."""

import pytest
from reading_files import fault, values, write

from slmkit.data.read_canonical import read_canonical

CONLL = """-DOCSTART- -X- O O

EU NNP I-NP B-ORG
rejects VBZ I-VP O
New NNP I-NP B-LOC
York NNP I-NP I-LOC

No DT O O
"""


def test_a_sentence_is_a_text_with_its_entities(tmp_path):
    first, second = values(write(tmp_path / "a.conll", CONLL))
    assert first["tokens"] == ["EU", "rejects", "New", "York"]
    assert first["tags"] == ["B-ORG", "O", "B-LOC", "I-LOC"]
    assert "".join(part["text"] for part in first["data"]) == "EU rejects New York"
    assert [part for part in first["data"] if "entity" in part] == [
        {"text": "EU", "entity": "ORG"},
        {"text": "New York", "entity": "LOC"},
    ]
    assert second["tokens"] == ["No"]


def test_sentences_become_records_of_their_entities(tmp_path):
    found = read_canonical(write(tmp_path / "a.conll", CONLL))
    assert found.kind == "extraction"
    assert (found.rows[0].input, found.rows[0].line) == ("EU rejects New York", 3)
    assert found.rows[0].target == '{"slots": {"ORG": "EU", "LOC": "New York"}}'


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("B-X I-X B-X O", ["a b", "c"]),
        ("I-X I-X O I-X", ["a b", "d"]),  # IOB1
        ("B-X E-X S-X S-X", ["a b", "c", "d"]),  # BIOES
        ("B-X L-X U-X O", ["a b", "c"]),  # BILOU
        ("B-X I-Y O O", ["a", "b"]),
    ],
)
def test_the_tag_schemes_of_the_field_are_read(tmp_path, tags, entities):
    lines = "\n".join(f"{token}\t{tag}" for token, tag in zip("abcd", tags.split(), strict=True))
    [row] = values(write(tmp_path / "a.bio", lines))
    assert [part["text"] for part in row["data"] if "entity" in part] == entities


def test_comments_are_skipped_and_a_token_that_looks_like_one_is_kept(tmp_path):
    [row] = values(write(tmp_path / "a.conll", "# id 17\tdomain=en\n# _ _ O\n1 _ _ B-CARDINAL\n"))
    assert row["tokens"] == ["#", "1"]


def test_a_line_that_is_no_token_with_a_tag_is_refused(tmp_path):
    assert fault(write(tmp_path / "a.conll", "EU B-ORG\nrejects\n")).where.endswith("a.conll:2")
    assert fault(write(tmp_path / "b.conll", "EU NNP\n")).where.endswith("b.conll:1")
    assert fault(write(tmp_path / "c.conll", "EU NNP B-ORG\nrejects O\n")).where.endswith("c.conll:2")


def test_a_text_file_of_tags_is_read_as_one_and_its_splits_are_kept_apart(tmp_path):
    for name in ("train.txt", "test.txt"):
        write(tmp_path / name, CONLL)
    notes = []
    assert len(values(tmp_path, notes)) == 2
    assert any("train.txt" in note and "CoNLL" in note for note in notes)
    assert any("not for training: test.txt" in note for note in notes)
    [document] = values(write(tmp_path / "prose.txt", "To be or not to be,\nthat is the question.\n"))
    assert document["path"] == "prose.txt"
