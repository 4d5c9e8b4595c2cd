"""What was added to a question, passages or solved examples, is left out where it does not fit into the context."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_files import build

from slmkit.systems._fit_prompts import fit_parts, longest_beginning
from slmkit.systems.prompt import prompt
from slmkit.systems.rag import rag
from slmkit.types import Example, Task

TASK = Task("bank", "generation", "answer.")
QUESTIONS = [Example("a", "my card was lost", "card lost"), Example("b", "quantum?", "fine")]


@pytest.fixture
def folder(tmp_path):
    """Passages and solved examples of 400 tokens each."""
    long = "the card was lost in the street and the bank sent a new one to me " * 20
    names = ["card", "lost card", "my card"]
    passages = [{"id": f"p{i}", "text": f"{name} {long}"} for i, name in enumerate(names)]
    chats = [
        {"messages": [{"role": "user", "content": f"{name} {long}"}, {"role": "assistant", "content": name}]}
        for name in [*names, "a card", "our card"]
    ]
    for name, rows in (("train", chats), ("documents", passages)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_passages_that_do_not_fit_are_left_out_and_counted(nano, chats, folder):
    system = build(rag, TASK, model=nano, documents=folder, top_k=3)
    answers = system.answer(QUESTIONS)
    assert not any(answer.error for answer in answers)
    assert 1 <= len(answers[0].passages) < 3
    assert chats[0][-1]["content"].count("new one") == 20 * len(answers[0].passages)  # whole passages
    notes = " ".join(system.notes)
    assert "1 of 2 prompts was too long" in notes and "1 passage was left out" in notes
    assert "1 of 2 questions found no passage" in notes


def test_one_passage_longer_than_the_context_is_cut(nano, chats, tmp_path):
    (tmp_path / "documents.jsonl").write_text(json.dumps({"id": "p", "text": "card " + "lost words " * 2000}) + "\n")
    system = build(rag, TASK, model=nano, documents=tmp_path, top_k=1)
    [answer] = system.answer(QUESTIONS[:1])
    assert not answer.error and answer.passages == ("p",)
    assert chats[0][-1]["content"].startswith("card lost words") and chats[0][-1]["content"].endswith("was lost")
    assert "the beginning of 1 is shown" in system.notes[0]


def test_the_farthest_examples_are_left_out(nano, chats, folder):
    all_shots = build(prompt, TASK, model=nano, num_shots=4, examples=folder)
    nearest = all_shots.shots(QUESTIONS[:1])[0][-1]
    [answer] = all_shots.answer(QUESTIONS[:1])
    assert not answer.error
    contents = [turn["content"] for turn in chats[0]]
    assert nearest.input in contents and len(contents) < 10
    assert "solved examples were left out" in all_shots.notes[0]


def test_labels_leave_more_room_than_free_answers(nano, folder):
    labels = Task("bank", "classification", "answer.", ("yes", "no"))
    assert (
        build(prompt, labels, model=nano, examples=folder).chat_model.room
        > build(prompt, TASK, model=nano, examples=folder).chat_model.room
    )


@given(st.lists(st.lists(st.integers(1, 30), max_size=6), max_size=6), st.integers(10, 60))
def test_as_many_parts_as_fit_are_kept(parts, room):
    def build_chat(index, number):
        return [{"role": "user", "content": "x" * sum(parts[index][:number])}]

    def count(_, chats):
        return [len(chat[0]["content"]) for chat in chats]

    chats, kept = fit_parts([len(one) for one in parts], build_chat, count, room=room)
    for one, few, size in zip(parts, kept, count((), chats), strict=True):
        assert size <= room
        assert few == len(one) or sum(one[: few + 1]) > room


@given(st.text(alphabet="ab 水", max_size=60), st.integers(0, 60))
def test_a_cut_text_fits_and_begins_like_the_whole(text, most):
    cut = longest_beginning(text, lambda part: len(part) <= most)
    assert text.startswith(cut) and len(cut) <= most
