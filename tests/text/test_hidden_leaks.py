"""A gold question is found behind greetings, marks, look-alike letters, misspellings, and inside other texts."""

from pathlib import Path

import pytest

from slmkit.data.canonical_row import CanonicalRow, texts_of, user_and_assistant
from slmkit.data.cleaning.clean_rows import clean_rows
from slmkit.text.changed_question import changes_question
from slmkit.text.identity import loose
from slmkit.types import Example

ASKED = "How do I open a second savings account for my daughter?"
ANSWER = "press the plus sign"
OTHERS = [Example(f"g{i}", f"gold {'abcdef'[i]}", f"other {i}") for i in range(6)]


def row(text, answer, *, before=()):
    messages = [*before, *user_and_assistant(text, answer)]
    return CanonicalRow({"messages": messages}, *texts_of({"messages": messages}), Path("rows.jsonl"), 1)


def cleaned(rows, asked=ASKED, answer=ANSWER):
    """The reasons of the dropped rows, and the notes."""
    notes = []
    gold = [Example("g", asked, answer), *OTHERS]
    done = clean_rows(rows, steps=[], keep_targets=True, gold=gold, on_note=notes.append)
    return [one.reason for one in done.dropped], notes


def test_many_copies_with_a_greeting_and_other_answers_are_dropped():
    added = ["{} Thanks!", "Hello, {}", "Hey! {}", "Q: {}", "{} (urgent)", "Anna: {}"]
    rows = [row(text.format(ASKED), f"answer {i}") for i, text in enumerate(added)]
    assert cleaned(rows) == (["near duplicate of a gold question"] * 6, [])


def test_many_paraphrases_with_other_words_in_the_answers_are_dropped():
    texts = [
        ASKED.replace("for", "to"),
        ASKED.replace("How do", "How can"),
        ASKED.replace("my daughter", "our daughter"),
        ASKED.replace("savings", "saving"),
    ]
    rows = [row(text, f"Choose {i} in the menu.") for i, text in enumerate(texts)]
    assert cleaned(rows) == (["near duplicate of a gold question"] * 4, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [("savings", "current"), ("daughter", "mother"), ("open", "close"), ("How", "Why"), ("How do I", "How do I not")],
)
def test_one_word_that_changes_the_question_and_the_answer_is_reported_and_kept(before, after):
    text = ASKED.replace(before, after)
    dropped, notes = cleaned([row(text, "something else")])
    assert dropped == [] and len(notes) == 1
    assert notes[0].startswith("1 row differs from a gold question in a word and has another answer and is kept")
    assert f"is the same question as {ASKED!r}" in notes[0]
    assert cleaned([row(text, ANSWER)]) == (["near duplicate of a gold question"], [])


def test_rows_of_one_form_with_other_labels_are_reported_whatever_their_number():
    cities = ["Ulm", "Bonn", "Kiel", "Jena", "Trier"]
    rows = [row(f"could you please tell me what the weather in {city} is", city) for city in cities]
    dropped, notes = cleaned(rows, "could you please tell me what the weather in Rome is", "Rome")
    assert dropped == [] and notes[0].startswith("5 rows differ from a gold question in a word")


def test_many_rows_around_a_short_gold_question_are_reported():
    rows = [row(f"where is my card {word}", "arrival") for word in ("now", "today", "of old", "and pin")]
    dropped, notes = cleaned(rows, "where is my card", "arrival")
    assert dropped == [] and notes[0].startswith("4 rows contain a short gold question and are kept")


@pytest.mark.parametrize(
    "form", ["**{}**", "*{}*", "_{}_", "__{}__", "***{}***", "~~{}~~", "# {}", "## {}", "> {}", "* {}", "> **{}**"]
)
def test_markdown_around_a_gold_question_does_not_hide_it(form):
    assert loose(form.format(ASKED)) == loose(ASKED)
    assert cleaned([row(form.format("Where is my card?"), "x")], "Where is my card?") == (["in the gold set"], [])


def test_markdown_inside_a_gold_question_does_not_hide_it():
    text = ASKED.replace("second", "*second*").replace("savings account", "**savings account**")
    assert cleaned([row(text, "x")]) == (["near duplicate of a gold question"], [])


@pytest.mark.parametrize(("a", "b"), [("__init__", "init"), ("2 * 3", "2  3"), ("*p", "p"), ("> 5", "5"), ("**", "*")])
def test_signs_that_are_no_markdown_stay(a, b):
    assert loose(a) != loose(b)


@pytest.mark.parametrize(
    "mark", ["\u200b", "\u00ad", "\u2060", "\ufeff", "\u034f", "\u180e", "\U000e0041", "\U000e0101"]
)
def test_characters_that_are_not_shown_do_not_hide_a_gold_question(mark):
    assert loose(ASKED.replace("a", f"a{mark}")) == loose(ASKED)


def test_flags_of_two_countries_differ():
    england, wales = ("\U0001f3f4" + "".join(chr(0xE0000 + ord(a)) for a in code) for code in ("gbeng", "gbwls"))
    assert loose(f"flag {england}") != loose(f"flag {wales}")


def test_letters_of_another_script_do_not_hide_a_gold_question():
    mixed = ASKED.replace("savings", "s\u0430vings").replace("account", "\u0430ccount")
    assert loose(mixed) == loose(ASKED)
    assert loose("пaроль") == loose("пароль")  # a Latin a


@pytest.mark.parametrize(("a", "b"), [("сор", "cop"), ("5 μm", "5 mm"), ("αhelix", "ahelix"), ("β", "b")])
def test_words_of_one_script_and_greek_symbols_stay(a, b):
    assert loose(a) != loose(b)


def test_a_note_shows_where_two_long_texts_differ():
    asked = "Here is a line of a song that I heard on the radio; translate it into French"
    (note,) = cleaned([row(asked.replace("French", "German"), "x")], asked)[1]
    assert "into German'" in note and "into French'" in note


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("¿Dónde está la estación más próxima?", "Donde esta la estacion mas proxima"),
        ("Wie ändere ich die Größe meiner Bestellung?", "Wie aendere ich die Groesse meiner Bestellung?"),
        ("Wie aendere ich die Groesse?", "Wie ändere ich die Größe?"),
        ("How long does a train need for 120 km at 60 km/h", "How long does a train need for 120km at 60km/h"),
        ("What is the refund policy for damaged items that arrive late?",
         "What is the refund polcy for damagd items that arive late?"),
        ("Dónde puedo encontrar la estación de tren más cercana a mi hotel",
         "Donde puedo encontrar una estacion de tren mas cercana a mi hotel"),
    ],
)  # fmt: skip
def test_accents_umlauts_units_and_misspellings_do_not_hide_a_gold_question(asked, text):
    assert cleaned([row(text, ANSWER)], asked) == (["near duplicate of a gold question"], [])


def test_a_short_text_that_differs_in_accents_and_answer_is_reported():
    dropped, notes = cleaned([row("cuantos anos tiene", "x")], "cuántos años tiene")
    assert dropped == [] and len(notes) == 1
    assert "in the numbers alone" in cleaned([row("what is 12 3", "x")], "what is 1 23")[1][0]


def test_a_gold_question_in_an_answer_is_dropped_with_its_answer_and_reported_without():
    quoting = f"They ask: {ASKED} We say: {ANSWER}."
    assert cleaned([row("What do people ask?", quoting)]) == (["quotes a gold question and its answer"], [])
    dropped, notes = cleaned([row("What do people ask?", f"They ask: {ASKED}")])
    assert dropped == [] and notes[0].startswith("1 row quotes a gold question in an answer or before the last turn")


def test_a_gold_question_in_a_system_turn_is_reported_and_in_an_earlier_question_dropped():
    system = {"role": "system", "content": f"FAQ: {ASKED} -> {ANSWER}"}
    dropped, notes = cleaned([row("hi", "hello", before=[system]), row("bye", "bye", before=[system])])
    assert dropped == [] and notes[0].startswith("2 rows quote a gold question")
    earlier = user_and_assistant(f"Good morning. {ASKED} Please.", "So.")
    assert cleaned([row("hi", "hello", before=earlier)]) == (["contains a gold question"], [])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("password of my account", "password for my account", False),
        ("thanks where is it", "where is it", False),
        ("one french word", "one german word", True),
        ("is it open", "is it not open", True),
        ("my bank account", "my banking account", False),
        ("5 km in miles", "5 kg in miles", True),
        ("take 5 of 7", "take 6 of 7", True),
    ],
)
def test_words_that_change_a_question(a, b, expected):
    assert changes_question(a.split(), b.split()) is expected
