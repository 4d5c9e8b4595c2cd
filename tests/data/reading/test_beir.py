"""A BEIR folder becomes questions with relevant documents; its gold set names them, and a retriever is measured."""

import json

import pytest
from reading_files import fault, values, write

from slmkit.data.documents import own_documents, read_passages, stored_passages
from slmkit.data.reading.find_files import data_files, held_out_files
from slmkit.gold.freeze import freeze_once
from slmkit.metrics.retrieval import recall
from slmkit.retrievers.bm25 import bm25
from slmkit.systems.retrieval_only import retrieval_only
from slmkit.types import Task

THINGS = (
    "kettle", "lamp", "chair", "radio", "bicycle", "tent", "drill", "fridge", "blender", "camera", "printer", "mixer",
    "heater", "ladder", "toaster", "monitor", "speaker", "carpet", "mirror", "sofa", "piano", "violin", "hammer",
    "shovel", "keyboard",
)  # fmt: skip


@pytest.fixture
def beir(tmp_path):
    """25 documents about a thing, and for each split a query about each of them."""
    folder = tmp_path / "things"
    corpus = [
        {"_id": f"d{i}", "title": thing, "text": f"The {thing} is kept in room {i}. " + "It is old. " * 60}
        for i, thing in enumerate(THINGS)
    ]
    splits = {"train": "Which room has the", "test": "Tell me where I find the"}
    queries = [{"_id": f"{s}{i}", "text": f"{ask} {t}?"} for s, ask in splits.items() for i, t in enumerate(THINGS)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        write(folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    for split in splits:
        pairs = [f"{split}{i}\td{i}\t1" for i in range(len(THINGS))] + [f"{split}0\td1\t2", f"{split}0\td2\t0"]
        write(folder / "qrels" / f"{split}.tsv", "query-id\tcorpus-id\tscore\n" + "\n".join(pairs))
    return folder


def test_each_relevant_pair_is_a_question_about_a_document(beir):
    assert [path.name for path in data_files(beir)] == ["train.tsv"]
    assert [path.name for path in held_out_files(beir)] == ["test.tsv"]
    notes = []
    rows = values(beir, notes)
    assert len(rows) == len(THINGS) + 1
    assert rows[0]["paragraphs"][0]["qas"][0]["question"] == "Which room has the kettle?"
    assert rows[0]["paragraphs"][0]["context"].startswith("kettle\nThe kettle is kept")
    assert any("26 pairs of a query and a relevant document" in note for note in notes)


def test_the_gold_set_names_the_relevant_documents_and_a_retriever_finds_them(beir, tmp_path):
    gold = freeze_once(beir, folder=tmp_path / "gold")
    assert len(gold.examples) == len(THINGS)
    assert own_documents(beir / "qrels" / "test.tsv") == own_documents(beir) == beir / "corpus.jsonl"
    passages = {passage.id: passage.text for passage in read_passages(beir)}
    assert len(passages) == len(THINGS)  # 181 words each, and uncut
    assert {id for example in gold.examples for id in example.relevant} <= set(passages)
    assert sorted(len(example.relevant) for example in gold.examples)[-2:] == [1, 2]
    assert {p.id for p in stored_passages(beir)} == set(passages)
    system = retrieval_only(Task("things"), documents=beir, retriever=bm25, top_k=2)
    answers = system.answer(gold.examples)
    assert min(recall(e, a) for e, a in zip(gold.examples, answers, strict=True) if len(e.relevant) == 1) == 1.0


def test_pairs_that_name_nothing_are_counted_or_refused(beir):
    path = beir / "qrels" / "train.tsv"
    path.write_text(path.read_text() + "\ntrain1\tnone\t1\n")
    notes = []
    assert len(values(path, notes)) == len(THINGS) + 1
    assert any("left out: 1 pair" in note for note in notes)
    path.write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    assert fault(path).where.endswith("qrels/train.tsv")
    path.write_text("query-id\tcorpus-id\tscore\nq\td\tyes\n")
    assert fault(path).where.endswith("train.tsv:2")
