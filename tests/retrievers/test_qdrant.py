"""Qdrant, in its local mode, finds what an exact search over the same vectors finds."""

import warnings

import pytest

from slmkit.errors import SlmkitError
from slmkit.retrievers.dense import dense
from slmkit.types import Passage

pytest.importorskip("qdrant_client")
from slmkit.retrievers.qdrant import qdrant

WORDS = ["oak", "river", "card", "bank", "train", "glass", "stone", "lamp"]
PASSAGES = [Passage(f"p{i}", f"{' and '.join(WORDS[i : i + 2])} by the {WORDS[i + 2]}") for i in range(6)]


def test_it_finds_what_the_exact_search_finds():
    queries = ["an oak by a river", "the glass lamp", "card"]
    exact = dense(PASSAGES).search(queries, top_k=3)
    found = qdrant(PASSAGES).search(queries, top_k=3)
    assert [[hit.passage.id for hit in hits] for hits in found] == [[hit.passage.id for hit in hits] for hits in exact]
    for ours, theirs in zip(found, exact, strict=True):
        assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-5)


def test_nothing_is_found_among_nothing():
    assert qdrant([]).search(["oak"], top_k=3) == [[]]


def test_a_server_that_is_not_there_is_told():
    with warnings.catch_warnings(), pytest.raises(SlmkitError, match="no Qdrant answers at http://127"):
        warnings.simplefilter("ignore")
        qdrant(PASSAGES, url="http://127.0.0.1:9")
