"""Dense retrieval finds what shared words miss; hybrid retrieval finds both."""

import pytest

from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.retrievers.dense import dense
from slmkit.retrievers.hybrid import hybrid
from slmkit.types import Passage

PASSAGES = [
    Passage("cards", "A stolen card is blocked by the bank within an hour. Losing a card costs nothing."),
    Passage("cash", "Cash is paid in at the counter; coins are counted by a machine."),
    Passage("travel", "Travelling abroad, a card works in any country after it was unlocked."),
    Passage("blank", "  "),
]
WORDLESS = [Passage("1", "!!!"), Passage("2", "???")]


def test_a_word_finds_passages_with_related_words():
    garage = [
        Passage("car", "The car has an engine and four wheels."),
        Passage("automobile", "An automobile needs wheels, and its engine needs oil."),
        Passage("tea", "Green tea is poured at eighty degrees."),
        Passage("soup", "Soup is served hot with bread."),
        Passage("motor", "The engine of a car turns its wheels."),
    ]
    [hits] = dense(garage).search(["car"], top_k=3)
    assert {hit.passage.id for hit in hits} == {"car", "motor", "automobile"}
    assert [hit.passage.id for hit in bm25(garage).search(["car"], top_k=3)[0]] != [hit.passage.id for hit in hits]


def test_a_passage_is_closest_to_itself():
    found = dense(PASSAGES).search([passage.text for passage in PASSAGES[:3]], top_k=3)
    assert [hits[0].passage.id for hits in found] == ["cards", "cash", "travel"]
    assert found[0][0].score == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("passages", [[], PASSAGES[3:], PASSAGES[:1], PASSAGES[:2], WORDLESS])
def test_few_or_no_passages_are_not_an_error(passages):
    assert len(dense(passages).search(["stolen card", ""], top_k=5)) == 2
    assert len(hybrid(passages).search(["stolen card", ""], top_k=5)) == 2


def test_passages_without_words_are_never_found():
    assert dense(WORDLESS).search(["!!!", "oak"], top_k=2) == [[], []]


def test_an_embedder_that_cannot_be_loaded_is_named_with_the_alternative():
    with pytest.raises(SlmkitError, match="'no/such-model'") as error:
        dense(PASSAGES, embedder="no/such-model")
    assert "embedder=lsa" in error.value.fix


def test_merged_scores_are_those_of_the_worked_example():
    index = hybrid(PASSAGES, first=_ranked("cards", "cash", "travel"), second=_ranked("cash", "travel", "cards"))
    [hits] = index.search(["?"], top_k=3)
    assert [hit.passage.id for hit in hits] == ["cash", "cards", "travel"]
    assert hits[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert hits[1].score == pytest.approx(1 / 61 + 1 / 63)


def test_hybrid_retrieval_finds_what_either_retriever_finds():
    found = hybrid(PASSAGES).search(["stolen", "coins"], top_k=1)
    assert [hits[0].passage.id for hits in found] == ["cards", "cash"]


def _ranked(*ids):
    """A retriever with a fixed ranking."""
    by_id = {passage.id: passage for passage in PASSAGES}

    class Fixed:
        def search(self, queries, *, top_k):
            from slmkit.types import Hit

            return [[Hit(by_id[id], 1.0 - i / 10) for i, id in enumerate(ids)][:top_k] for _ in queries]

    return lambda passages: Fixed()
