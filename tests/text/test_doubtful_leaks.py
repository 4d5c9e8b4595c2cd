"""Rows that may ask a gold question or something else are reported with both texts, and kept."""

from pathlib import Path

import pytest

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.data.cleaning.clean_rows import clean_rows
from slmkit.text.identity import Question
from slmkit.text.leakage import find_leaks
from slmkit.types import Example

ASKED = "Where is my card?"
GOLD = [Example("g", ASKED, "arrival"), *(Example(f"g{i}", f"gold {'abcd'[i]}", f"other {i}") for i in range(4))]


def cleaned(text, answer, gold=GOLD, **messages):
    notes = []
    rows = [CanonicalRow({"messages": user_and_assistant(text, answer)}, text, answer, Path("rows.csv"), 1)]
    done = clean_rows(rows, steps=[], keep_targets=True, gold=gold, on_note=notes.append)
    return [row.reason for row in done.dropped], notes


@pytest.mark.parametrize(
    "text",
    [
        "Where is my crad?",
        "Wheer is my card?",
        "where is my cards",
        "Whereis my card?",
        "Hi, where is my card?",
        "Good morning! Where is my card?",
        "Where is my card, please",
        "Where is <b>my card</b>?",
        "Where is my<br>card?",
    ],
)
def test_a_short_gold_question_with_a_slip_or_a_greeting_and_another_answer_is_reported(text):
    dropped, notes = cleaned(text, "loss")
    assert dropped == [] and len(notes) == 1
    assert (
        notes[0].startswith("1 row differs from a gold question slightly") and text in notes[0] and ASKED in notes[0]
    )


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("what is C++ for", "what is C# for"),
        ("what is C++ for", "what is C for"),
        ("what is 14 + 7", "what is 14 - 7"),
        ("what is 14 + 7", "what is 14 + 7 + 3"),
        ("how do I change my pin", "how do I change my pan"),
        ("weather in Ulm", "weather in Bonn"),
        ("where is my card", "where is my new debit card now"),
        ("play jazz", "play jazz now"),
    ],
)
def test_a_question_that_asks_something_else_is_not_reported(gold, text):
    assert cleaned(text, "other", [Example("g", gold, "answer")]) == ([], [])


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("我的银行卡在哪里", "你好，我的银行卡在哪里？"),
        ("Где моя карта", "Где моя кадта?"),
        ("मेरा कार्ड कहाँ है", "नमस्ते, मेरा कार्ड कहाँ है?"),
    ],
)
def test_slips_and_greetings_are_found_in_other_scripts(gold, text):
    dropped, notes = cleaned(text, "other", [Example("g", gold, "answer")])
    assert dropped == [] and text in notes[0]


def test_the_same_row_with_gold_s_answer_is_dropped():
    assert cleaned("Where is my crad?", "arrival") == (["near duplicate of a gold question"], [])


FRUIT = "Which of these is a citrus fruit?\n\nA. plum\nB. lemon\nC. kiwi"
SHUFFLED = "Which of these is a citrus fruit?\n\nA. kiwi\nB. plum\nC. lemon"


@pytest.mark.parametrize(
    ("answer", "dropped", "num_notes"),
    [("C", ["near duplicate of a gold question"], 0), ("(C)", ["near duplicate of a gold question"], 0), ("B", [], 1)],
)
def test_options_in_another_order_are_a_leak_if_the_same_one_is_right(answer, dropped, num_notes):
    found, notes = cleaned(SHUFFLED, answer, [Example("g", FRUIT, "B")])
    assert found == dropped and len(notes) == num_notes


def test_other_options_are_another_question():
    text = "Which of these is a citrus fruit?\n\nA. kiwi\nB. orange\nC. fig"
    assert cleaned(text, "B", [Example("g", FRUIT, "B")]) == ([], [])


@pytest.mark.parametrize("text", [f"<p>{ASKED}</p>", "Where&#39;s my card&nbsp;?".replace("&#39;s", " is")])
def test_a_gold_question_in_html_is_dropped(text):
    assert cleaned(text, "loss") == (["in the gold set"], [])


def test_gold_in_html_is_found_in_plain_rows_and_tags_inside_do_not_hide_it():
    gold = [Example("g", "Where is my <b>card</b>?", "arrival")]
    assert cleaned("where is my card", "arrival", gold)[0] == ["near duplicate of a gold question"]
    assert cleaned("where is <i>my card</i>", "arrival", gold)[0] == ["near duplicate of a gold question"]


def test_doubtful_rows_are_not_leaks_unless_asked_for():
    rows, gold = [Question("where is my crad"), Question("14 + 8")], [Question("where is my card"), Question("14 + 7")]
    answers = ["a", "b"], ["c", "d"]
    assert find_leaks(rows, gold, answers=answers) == []
    assert [leak.kind for leak in find_leaks(rows, gold, answers=answers, with_doubtful=True)] == ["near", "numbers"]
