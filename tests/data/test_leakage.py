"""Planted leaks are found by kind; clean rows raise few alarms; the search agrees with comparing every pair."""

import random

import pytest

from slmkit.data.leakage import find_leaks
from slmkit.data.near import edits_allowed, edits_between
from slmkit.data.near_duplicates import near_duplicates
from slmkit.data.normalise import normalise
from slmkit.data.read import read_rows


@pytest.fixture(scope="module")
def banking(request):
    shared = request.getfixturevalue("shared_data")
    return {
        part: [row.values["text"] for row in read_rows(shared / "banking77" / f"{part}.csv")]
        for part in ("train", "test")
    }


def change_words(text, share, rng, vocabulary):
    words = text.split()
    for i in rng.sample(range(len(words)), max(1, round(share * len(words)))):
        words[i] = rng.choice(vocabulary)
    return " ".join(words)


def plant(gold, kind, rng, vocabulary):
    match kind:
        case "exact":
            return gold
        case "case and space":
            return f"  {gold.upper().replace(' ', '  ')}\n"
        case "punctuation":
            return f"«{gold.rstrip('?.!')}»..!"
        case "inside a longer row":
            return f"A customer wrote to us: {gold} Please reply."
        case "10 % of words":
            return change_words(gold, 0.1, rng, vocabulary)
        case _:
            return change_words(gold, 0.2, rng, vocabulary)


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("exact", 1.0),
        ("case and space", 1.0),
        ("punctuation", 1.0),
        ("inside a longer row", 1.0),
        ("10 % of words", 0.99),
        ("20 % of words", 0.04),  # 2 of 10 words changed is another question to a bank: a known limit of word edits
    ],
)
def test_two_hundred_planted_leaks_are_found(banking, kind, least):
    rng = random.Random(0)
    vocabulary = sorted({word for text in banking["train"] for word in text.split()})
    # a tenth of the words of a shorter question is no word at all, and near.py asks those to be equal
    gold = rng.sample([text for text in banking["test"] if len(normalise(text).split()) >= 8], 200)
    rows = [plant(text, kind, rng, vocabulary) for text in gold]
    found = {leak.row for leak in find_leaks(rows, gold)}
    assert len(found) / 200 >= least


def test_ten_thousand_clean_rows_raise_few_alarms(banking):
    gold = random.Random(0).sample(banking["test"], 200)
    same = {normalise(text) for text in gold}
    clean = [text for text in banking["train"] if normalise(text) not in same]
    assert len(clean) > 9_900
    assert len(find_leaks(clean, gold)) / len(clean) <= 0.005


def test_the_search_misses_nothing_that_comparing_every_pair_finds(banking):
    rows, gold = banking["train"][:1500], banking["test"][:400]
    words = [[normalise(text).split() for text in texts] for texts in (rows, gold)]
    expected = {i for i, row in enumerate(words[0]) if any(edits_between(g, row) is not None for g in words[1])}
    assert expected
    assert {leak.row for leak in find_leaks(rows, gold) if leak.kind != "contains"} == expected


def test_near_duplicates_are_found_and_keep_the_first(banking):
    rng = random.Random(0)
    vocabulary = sorted({word for text in banking["train"] for word in text.split()})
    base = [text for text in banking["train"] if len(text.split()) >= 12][:500]
    repeats = near_duplicates(base)
    kept = [text for i, text in enumerate(base) if i not in repeats]
    changed = [change_words(text, 0.05, rng, vocabulary) for text in kept]
    found = near_duplicates([*kept, *changed])
    assert set(found) <= set(range(len(kept), 2 * len(kept)))
    assert len(found) / len(kept) >= 0.95
    assert all(
        edits_between(kept[j].split(), changed[i - len(kept)].split()) is not None or j for i, j in found.items()
    )


def test_one_word_is_the_question_in_a_short_text():
    assert find_leaks(["How do I change my PIN?"], ["How do I change my name?"]) == []
    assert near_duplicates(["How do I change my PIN?", "How do I change my name?"]) == {}
    assert [edits_allowed(n) for n in (7, 8, 13, 14, 17, 20, 40, 100)] == [0, 1, 1, 2, 2, 3, 8, 23]


def test_a_stretch_of_four_words_survives_the_edits_allowed():
    assert all(n // (edits_allowed(n) + 1) >= 4 for n in range(8, 2000))
