"""Retrievers find the passage of a question in languages without spaces, without Latin letters, and with marks."""

import languages
import pytest

from slmkit.retrievers.bm25 import bm25
from slmkit.retrievers.dense import dense
from slmkit.retrievers.hybrid import hybrid
from slmkit.types import Passage

LANGUAGES = ["CHINESE", "JAPANESE", "THAI", "RUSSIAN", "ARABIC", "HINDI", "KOREAN"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("retriever", "least"), [(bm25, 10), (hybrid, 10), (dense, 9)])
def test_the_passage_of_a_question_is_found_in_every_language(language, retriever, least):
    rows = getattr(languages, language)
    index = retriever([Passage(str(i), passage) for i, (passage, _) in enumerate(rows)])
    found = index.search([question for _, question in rows], top_k=1)
    assert sum([hit.passage.id for hit in hits] == [str(i)] for i, hits in enumerate(found)) >= least


@pytest.mark.parametrize(
    ("passage", "query"),
    [
        ("iPhone15怎么充电", "IPHONE15 充電 充电"),
        ("营业时间：９：００～１８：００", "18点"),
        ("ＡＴＭで現金", "atm"),
        ("Heute gibt es 🍕 und Salat", "🍕"),
        ("نمی‌خواهم", "خواهم"),
        ("كِتَابٌ جديد", "كتـــاب"),
        ("ISTANBUL", "İstanbul"),
        ("Die Große Straße", "GROSSE"),
        ("갤럭시는 휴대폰이다", "갤럭시를"),
        ("Phở bò Hà Nội", "pho\u031b\u0309 bo\u0300"),
        ("Тёмная ночь", "темная"),
        ("IT answers the phone", "it"),
        ("C++ compiler", "c++"),
    ],
)
def test_hostile_spellings_find_their_passage(passage, query):
    [hits] = bm25([Passage("other", "Something else, 其他, другое."), Passage("right", passage)]).search(
        [query], top_k=1
    )
    assert [hit.passage.id for hit in hits] == ["right"]


def test_a_common_word_counts_less_but_still_finds():
    passages = [Passage(str(i), f"The walls of house {i} are made of wood.") for i in range(30)]
    others = [Passage(f"other {i}", "Bread, salt, soup, tea") for i in range(15)]
    rare = Passage("rare", "Loven is an old house at the lake, in the north, built from stone and brick by its owner.")
    index = bm25([*passages, *others, rare])
    assert index.search(["What are the walls of Loven made of?"], top_k=1)[0][0].passage.id == "rare"
    assert len(index.search(["the"], top_k=50)[0]) == 31
