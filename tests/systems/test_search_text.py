"""Documents are searched with the last user turn of a chat and, while it is short, with the user turns before it."""

import pytest

from slmkit.systems._retrieval_notes import retrieval_notes
from slmkit.systems._search_text import search_text
from slmkit.systems.retrieval_only import retrieval_only
from slmkit.types import Example, Task

TAXI = "What does a taxi from the airport in Rome cost?"
WHOLE = "On which day of the week is the market in Oslo held?"


def chat(*asked):
    turns = [
        turn for text in asked for turn in ({"role": "user", "content": text}, {"role": "assistant", "content": "9"})
    ]
    return Example("1", asked[-1], "9", messages=tuple(turns[:-1]))


@pytest.mark.parametrize(
    ("asked", "searched"),
    [
        (("And in Oslo?",), "And in Oslo?"),
        ((TAXI, WHOLE), WHOLE),
        ((TAXI, "And in Oslo?"), f"{TAXI}\nAnd in Oslo?\nAnd in Oslo?"),
        ((TAXI, "Oslo?", "Bergen?"), f"{TAXI}\nOslo?\nBergen?\nBergen?"),
        ((WHOLE, TAXI, "Oslo?"), f"{TAXI}\nOslo?\nOslo?"),
        (
            ("罗马机场到市中心的出租车多少钱？", "奥斯陆呢？"),
            "罗马机场到市中心的出租车多少钱？\n奥斯陆呢？\n奥斯陆呢？",
        ),
    ],
)
def test_a_short_last_turn_is_searched_with_the_user_turns_before_it(asked, searched):
    assert search_text(chat(*asked)) == searched


def test_a_question_without_messages_is_searched_as_it_is():
    assert search_text(Example("1", "Oslo?", "9")) == "Oslo?"


def test_a_follow_up_finds_the_passage_of_its_place_and_topic_and_this_is_said(tmp_path):
    for topic in ("A taxi from the airport costs {n} euros in {c}.", "The market in {c} is held on day {n}."):
        for n, place in enumerate(("Rome", "Oslo", "Bergen", "Porto")):
            (tmp_path / f"{topic[2:6].strip()} {place}.txt").write_text(topic.format(c=place, n=n))
    system = retrieval_only(Task("trips"), documents=tmp_path)
    answers = system.answer([chat(TAXI, "And in Oslo?"), chat(TAXI, WHOLE)])
    assert [answer.text for answer in answers] == [
        "A taxi from the airport costs 1 euros in Oslo.",
        "The market in Oslo is held on day 1.",
    ]
    assert system.notes == ["1 of 2 questions was searched with the user turns before too: its last turn is short"]
    assert retrieval_notes(system.searched, found="row") == []
