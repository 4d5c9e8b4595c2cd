"""Documents are cut into passages of whole paragraphs or sentences without losing text; gap-fill questions."""

import json
from pathlib import Path

import pytest
from project_files import read_jsonl

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.documents import chunk, passage_id, read_passages
from slmkit.data.gap_fill import GAP, gap_fill
from slmkit.data.reading.document_text import html_to_text
from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_once
from slmkit.recipe import lookup
from slmkit.runs.run_folder import Run
from slmkit.stages.prepare import prepare
from slmkit.text.words import count_words

PARAGRAPH = "The tower was finished in 1889. It stands in Paris, by the river. Nobody liked it then."


def test_chunks_keep_every_word_and_stay_within_the_size():
    text = "\n\n".join([PARAGRAPH] * 20 + ["word " * 300])
    for size in (7, 30, 120):
        pieces = chunk(text, chunk_size=size)
        assert " ".join(pieces).split() == text.split()
        assert max(len(piece.split()) for piece in pieces) <= size


def test_chunks_end_with_a_sentence():
    assert all(piece.endswith(".") for piece in chunk("\n\n".join([PARAGRAPH] * 5), chunk_size=25))


def test_chunks_overlap_by_the_given_number_of_words():
    pieces = chunk(" ".join(f"w{i}" for i in range(100)), chunk_size=20, chunk_overlap=5)
    assert all(pieces[i + 1].split()[:5] == pieces[i].split()[-5:] for i in range(len(pieces) - 1))


CUT = {  # a document without spaces between words, and one sentence of it without a stop
    "Chinese": "图书馆周一到周五早上九点开门，晚上八点关门。周末不开放！你知道吗？" * 20 + "这是一个很长的句子" * 60,
    "Japanese": "図書館は九時に開きます。「休みはいつですか。」と聞きました。" * 20 + "とても長い文" * 80,
    "Thai": "ห้องสมุดเปิดเก้าโมงเช้า และปิดสองทุ่มในวันธรรมดา " * 20 + "ประโยคที่ยาวมาก" * 60,
    "Khmer": "បណ្ណាល័យបើកម៉ោងប្រាំបួនព្រឹក។" * 20 + "ប្រយោគវែងណាស់" * 60,
    "Hindi": "पुस्तकालय सुबह नौ बजे खुलता है। रात आठ बजे बंद होता है। " * 20,
}


@pytest.mark.parametrize("language", CUT)
@pytest.mark.parametrize("overlap", [0, 5])
def test_a_document_without_spaces_is_cut_within_the_size(language, overlap):
    pieces = chunk(CUT[language], chunk_size=40, chunk_overlap=overlap)
    sizes = [count_words(piece) for piece in pieces]
    assert max(sizes) <= 40
    assert sum(sizes) / len(sizes) > 25  # pieces are not needlessly short
    if overlap == 0:
        assert "".join("".join(pieces).split()) == "".join(CUT[language].split())
        assert any(piece[-1] in "。！？।។」" for piece in pieces) or language == "Thai"


def test_a_cut_by_characters_is_reported(tmp_path):
    (tmp_path / "a.txt").write_text(CUT["Chinese"], encoding="utf-8")
    (tmp_path / "b.txt").write_text("短い。", encoding="utf-8")
    notes = []
    passages = read_passages(tmp_path, chunk_size=40, on_note=notes.append)
    assert len(passages) > 10
    assert [note for note in notes if note.startswith("1 document without spaces between words")]


def test_html_text_is_the_visible_text():
    html = "<head><title>t</title></head><h1>Head</h1><p>a <b>bold</b>\n claim &lt;x&gt;</p><script>var x</script>"
    assert html_to_text(html) == "Head\n\na bold claim <x>"


def test_passages_come_from_rows_and_files(tmp_path):
    (tmp_path / "documents.jsonl").write_text('{"id": "a", "text": "one two"}\n{"id": "b", "text": "three"}\n')
    assert [(p.id, p.text) for p in read_passages(tmp_path / "documents.jsonl")] == [("a", "one two"), ("b", "three")]
    (tmp_path / "long.md").write_text("\n\n".join([PARAGRAPH] * 12))
    assert [p.id for p in read_passages(tmp_path / "long.md", chunk_size=100)] == [
        "long.md#0",
        "long.md#1",
        "long.md#2",
    ]


def test_documents_without_a_text_column_are_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"name": "x"}\n')
    with pytest.raises(SlmkitError) as caught:
        read_passages(tmp_path / "a.jsonl")
    assert caught.value.what.endswith(" name")
    assert caught.value.where.endswith("a.jsonl:1")


def test_an_overlap_as_large_as_the_chunk_is_refused(tmp_path):
    with pytest.raises(SlmkitError, match="chunk_overlap=10"):
        read_passages(tmp_path, chunk_size=10, chunk_overlap=10)


def test_the_gap_replaces_a_number_or_a_name():
    document = CanonicalRow({"text": PARAGRAPH}, PARAGRAPH, "", Path("a.md"), 1)
    questions = gap_fill([document])
    assert [(q.input, q.target) for q in questions] == [
        (f"The tower was finished in {GAP}.", "1889"),
        (f"It stands in {GAP}, by the river.", "Paris"),
    ]
    assert all(q.input.replace(GAP, q.target) in PARAGRAPH and q.passage == PARAGRAPH for q in questions)


def test_an_empty_document_has_no_passage_and_is_reported(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("")
    notes = []
    assert [passage.id for passage in read_passages(tmp_path, on_note=notes.append)] == ["a.txt"]
    assert "b.txt" in notes[0]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(lookup.PACKAGE / "assets" / "nano")


@pytest.mark.parametrize("overlap", [0, 10])
def test_chunks_by_tokens_stay_within_the_size_in_tokens_of_the_model(tmp_path, tokenizer, overlap):
    text = "\n\n".join([PARAGRAPH] * 20 + ["x7Q" * 200, "größer 🌲 " * 40])  # also one word of many tokens
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    passages = read_passages(tmp_path / "a.md", chunk_size=40, chunk_overlap=overlap, tokenizer=tokenizer)
    lengths = [len(tokenizer(passage.text, add_special_tokens=False)["input_ids"]) for passage in passages]
    assert max(lengths) <= 40
    joined = "".join("".join(passage.text.split()) for passage in passages)
    whole = "".join(text.split())
    assert joined == whole if overlap == 0 else len(joined) > len(whole)


def test_a_document_without_a_name_is_named_by_its_number(tmp_path):
    path = tmp_path / "docs.json"
    path.write_text('[\n{"text": "One."},\n{"text": "Two."}\n]')
    assert [passage.id for passage in read_passages(path)] == ["docs:1", "docs:2"]


@pytest.mark.parametrize("mask", [True, False])
def test_passages_are_masked_when_the_rows_are_and_keep_their_ids(tmp_path, mask):
    rows = [
        {"text": f"who is person {i}?", "answer": f"nurse {i}", "doc": f"Mail p{i}@site.org for {i}."}
        for i in range(30)
    ]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"text_column": "text", "label_column": "answer", "passage_column": "doc"}
    gold = freeze_once(data, folder=tmp_path / "gold", **columns)
    run = Run(tmp_path / "run")
    prepare(run, data=data, gold=gold.folder, steps=["mask_pii"] if mask else [], **columns)
    found = {row["id"]: row["text"] for row in read_jsonl(run.path("documents.jsonl"))}
    assert (
        set(found) == {passage_id(row["doc"]) for row in rows} >= {id for one in gold.examples for id in one.relevant}
    )
    assert any("@site.org" in text for text in found.values()) is not mask
    assert not any("are not among the documents" in row["text"] for row in read_jsonl(run.path("notes.jsonl")))


def test_given_documents_are_masked_too_before_a_number_could_be_cut_in_two(tmp_path):
    data, documents = tmp_path / "data.csv", tmp_path / "documents"
    data.write_text("text,label\n" + "".join(f"question {i} about it,label_{i % 2}\n" for i in range(20)))
    documents.mkdir()
    (documents / "a.md").write_text("Call 07700 900 123 or write to ann@site.org")
    run = Run(tmp_path / "run")
    prepare(run, data=data, documents=documents, steps=["mask_pii"], chunk_size=2)
    found = {row["id"]: row["text"] for row in read_jsonl(run.path("documents.jsonl"))}
    assert found["a.md#0"] == "Call [PHONE_NUMBER]"
    assert not any("900" in text or "@" in text for text in found.values())
