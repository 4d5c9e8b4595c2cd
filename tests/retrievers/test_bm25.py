"""BM25 on passages with an obvious order, and on a public test set with a published score."""

import csv

import pytest

from slmkit.metrics.retrieval import ndcg
from slmkit.retrievers.bm25 import bm25
from slmkit.types import Answer, Example, Passage

PASSAGES = [
    Passage("oak", "The table is made of oak, and oak lasts."),
    Passage("glass", "The lamp is made of glass."),
    Passage("empty", ""),
]


def test_a_passage_with_a_rare_word_of_the_query_ranks_first():
    [found] = bm25(PASSAGES).search(["What is made of oak?"], top_k=3)
    assert [hit.passage.id for hit in found] == ["oak", "glass"]
    assert found[0].score > found[1].score > 0


def test_a_query_without_a_known_word_finds_nothing():
    assert bm25(PASSAGES).search(["quantum?", ""], top_k=3) == [[], []]


def test_no_passages_or_no_queries_give_no_hits():
    assert bm25([]).search(["oak"], top_k=3) == [[]]
    assert bm25([Passage("blank", " ")]).search(["oak"], top_k=3) == [[]]
    assert bm25(PASSAGES).search([], top_k=3) == []


def test_one_letter_words_and_other_alphabets_are_words():
    index = bm25([Passage("x", "variable x"), Passage("ж", "стол из дуба"), Passage("木", "木 の 机")])
    assert [row[0].passage.id for row in index.search(["x", "дуба", "木"], top_k=1)] == ["x", "ж", "木"]


def test_the_score_on_scifact_is_the_published_one(shared_data):
    """nDCG@10 of BM25 on the 300 SciFact queries: 0.665 in Thakur et al. 2021 (BEIR), table 2."""
    folder = shared_data / "scifact"
    with open(folder / "corpus_train.csv", encoding="utf-8") as file:
        passages = [Passage(row["doc_id"], f"{row['title']} {row['abstract']}") for row in csv.DictReader(file)]
    with open(folder / "qrels_validation.tsv", encoding="utf-8") as file:
        relevant: dict[str, list[str]] = {}
        for row in csv.DictReader(file, delimiter="\t"):
            relevant.setdefault(row["query-id"], []).append(row["corpus-id"])
    with open(folder / "claims_validation.csv", encoding="utf-8") as file:
        claims = {row["id"]: row["claim"] for row in csv.DictReader(file)}
    queries = [query for query in claims if query in relevant]
    found = bm25(passages).search([claims[query] for query in queries], top_k=10)
    scores = [
        ndcg(
            Example(query, "", "", relevant=tuple(relevant[query])),
            Answer(query, "", passages=tuple(hit.passage.id for hit in hits)),
        )
        for query, hits in zip(queries, found, strict=True)
    ]
    assert len(scores) == 300
    assert sum(scores) / 300 == pytest.approx(0.66, abs=0.01)
