"""Planted leaks are found by kind; false positives are rare; the search agrees with comparing every pair."""

import random

import pytest

from slmkit.data.reading.read import read_rows
from slmkit.text import leakage
from slmkit.text.edit_distance import edits_allowed, edits_between
from slmkit.text.identity import Question, loose
from slmkit.text.near_duplicates import near_duplicates as near_duplicates_of


def find_leaks(rows, gold, **answers):
    return leakage.find_leaks([Question(row) for row in rows], [Question(text) for text in gold], **answers)


def near_duplicates(texts):
    return near_duplicates_of([Question(text) for text in texts])


@pytest.fixture(scope="module")
def banking(request):
    shared = request.getfixturevalue("shared_data")
    return {
        part: [(row.values["text"], row.values["category"]) for row in read_rows(shared / "banking77" / f"{part}.csv")]
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
        case "10% of words":
            return change_words(gold, 0.1, rng, vocabulary)
        case _:
            return change_words(gold, 0.2, rng, vocabulary)


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("exact", 1.0),
        ("case and space", 1.0),
        ("punctuation", 1.0),
        ("10% of words", 0.99),
        ("20% of words", 0.3),  # two of ten words can change the question: a limit of word edits
        ("inside a longer row", 0.95),  # all but questions of at most three words
    ],
)
def test_two_hundred_planted_leaks_are_found(banking, kind, least):
    rng = random.Random(0)
    vocabulary = sorted({word for text, _ in banking["train"] for word in text.split()})
    gold = rng.sample(banking["test"], 200)
    rows = [plant(text, kind, rng, vocabulary) for text, _ in gold]
    labels = [label for _, label in gold]
    found = {leak.row for leak in find_leaks(rows, [text for text, _ in gold], answers=(labels, labels))}
    assert len(found) / 200 >= least


def test_long_questions_are_found_without_answers(banking):
    rng = random.Random(0)
    vocabulary = sorted({word for text, _ in banking["train"] for word in text.split()})
    gold = [text for text, _ in banking["test"] if len(loose(text).split()) >= 8][:200]
    rows = [plant(text, "10% of words", rng, vocabulary) for text in gold]
    assert len(find_leaks(rows, gold)) == 200


def test_false_positives_are_rare_in_ten_thousand_clean_rows(banking):
    gold = random.Random(0).sample(banking["test"], 200)
    same = {loose(text) for text, _ in gold}
    clean = [(text, label) for text, label in banking["train"] if loose(text) not in same]
    (rows, row_labels), (texts, labels) = zip(*clean, strict=True), zip(*gold, strict=True)
    assert len(rows) > 9_900
    assert len(find_leaks(rows, texts)) / len(rows) <= 0.002
    assert len(find_leaks(rows, texts, answers=(row_labels, labels))) / len(rows) <= 0.005


def test_the_search_finds_everything_that_comparing_every_pair_finds(banking):
    rows, gold = ([text for text, _ in banking[part]] for part in ("train", "test"))
    rows, gold = rows[:1500], gold[:400]
    words = [[loose(text).split() for text in texts] for texts in (rows, gold)]
    expected = {i for i, row in enumerate(words[0]) if any(edits_between(g, row) is not None for g in words[1])}
    assert expected
    assert {leak.row for leak in find_leaks(rows, gold) if leak.kind != "contains"} == expected


def test_the_search_with_answers_finds_everything_too(banking):
    rows, gold = banking["train"][::7], banking["test"][::7]
    words = [[(loose(text).split(), label) for text, label in part] for part in (rows, gold)]
    expected = {
        i
        for i, (row, label) in enumerate(words[0])
        if any(edits_between(g, row, same_answer=label == of_gold) is not None for g, of_gold in words[1])
    }
    (texts, labels), (gold_texts, gold_labels) = zip(*rows, strict=True), zip(*gold, strict=True)
    found = find_leaks(texts, gold_texts, answers=(labels, gold_labels))
    assert {leak.row for leak in found if leak.kind != "contains" or leak.edits} == expected


def test_an_answer_that_most_texts_share_is_no_evidence():
    gold = [f"{word} is a text of its own" for word in ("this", "that", "what", "here", "there", "now", "so", "it")]
    short = ["call me at noon", *gold]
    spam = ["ham"] * len(short)
    assert find_leaks(["call me at home"], short, answers=(["ham"], spam)) == []
    assert find_leaks(["call me at home"], short, answers=(["eggs"], ["eggs", *spam[1:]]))[0].kind == "near"


def test_data_that_follows_a_pattern_is_not_a_leak():
    cities = ["Ulm", "Bonn", "Kiel", "Jena", "Trier", "Hamm"]
    rows = [f"weather in {city} today" for city in cities]
    leaks = find_leaks(rows, ["weather in Rome today", "play a song", "pay my bill", "call my mum", "set a timer"],
                       answers=(["weather"] * 6, ["weather", "play", "pay", "call", "timer"]))  # fmt: skip
    assert leaks == []
    long = [f"could you please tell me what the weather in {city} is" for city in cities]
    rome = ["could you please tell me what the weather in Rome is"]
    assert find_leaks(long, rome, answers=(cities, ["Rome"])) == []  # different answers: different questions
    assert len(find_leaks(long, rome, answers=(["sun"] * 6, ["sun"]))) == 6  # same answer: reworded questions


def test_a_short_text_inside_rows_with_its_answer_is_a_leak_unless_there_are_many():
    gold, answers = ["where is my card", "play jazz", "x", "y", "z"], ["arrival", "music", "a", "b", "c"]
    kinds = [
        [(leak.kind, leak.gold) for leak in find_leaks(rows, gold, answers=([answer] * len(rows), answers))]
        for rows, answer in (
            (["hello, where is my card? thanks"], "arrival"),
            (["hello, where is my card? thanks"], "other"),
            (
                [f"where is my card {word}" for word in ("now", "please", "of old", "and pin")],
                "arrival",
            ),
            (["play blues"], "music"),
            (["play blues"], "other"),
        )
    ]
    assert kinds == [[("contains", 0)], [], [], [("near", 1)], []]


def test_near_duplicates_are_found_and_the_first_is_kept(banking):
    rng = random.Random(0)
    vocabulary = sorted({word for text, _ in banking["train"] for word in text.split()})
    base = [text for text, _ in banking["train"] if len(text.split()) >= 12][:500]
    repeats = near_duplicates(base)
    kept = [text for i, text in enumerate(base) if i not in repeats]
    changed = [change_words(text, 0.05, rng, vocabulary) for text in kept]
    found = near_duplicates([*kept, *changed])
    assert set(found) <= set(range(len(kept), 2 * len(kept)))
    assert len(found) / len(kept) >= 0.95
    assert all(
        edits_between(kept[j].split(), changed[i - len(kept)].split()) is not None or j for i, j in found.items()
    )


def test_in_a_short_text_one_word_changes_the_question():
    assert find_leaks(["How do I change my PIN?"], ["How do I change my name?"]) == []
    assert near_duplicates(["How do I change my PIN?", "How do I change my name?"]) == {}
    assert [edits_allowed(n) for n in (7, 8, 13, 14, 17, 20, 40, 100)] == [0, 1, 1, 2, 2, 3, 8, 23]


def test_four_consecutive_words_survive_the_edits_allowed():
    assert all(n // (edits_allowed(n) + 1) >= 4 for n in range(8, 2000))
