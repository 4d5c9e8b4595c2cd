"""What `prompt` sends to the model, read from the chats themselves; the answers are those of the real model."""

import pytest
from project_files import build

from slmkit.errors import SlmkitError
from slmkit.models.load import shared_model
from slmkit.systems.prompt import prompt
from slmkit.types import Example, ModelRef, Task

TASK = Task("bank", "classification", "say what it is about.", ("card lost", "top up", "close"))
FREE = Task("bank", "generation", "answer.")
QUESTIONS = [
    Example("a", "my card was lost", "card lost"),
    Example("b", "can i top up with cash", "top up"),
]


def test_a_zero_shot_prompt_is_instruction_labels_and_question(nano, chats):
    reported = []
    answers = build(prompt, TASK, model=nano, max_new_tokens=4).answer(QUESTIONS, on_answer=reported.append)
    assert chats[0] == [
        {"role": "system", "content": "say what it is about. Answer with exactly one of: card lost, top up, close."},
        {"role": "user", "content": "my card was lost"},
    ]
    assert [answer.example_id for answer in answers] == ["a", "b"]
    assert sorted(reported, key=lambda answer: answer.example_id) == answers
    assert all(answer.prompt_tokens > 10 and answer.seconds > 0 for answer in answers)


def test_labels_are_not_listed_for_a_model_that_a_run_trained(nano, chats, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(nano.path)
    trained = ModelRef("loop/train", str(tmp_path / "run"))
    build(prompt, TASK, model=trained, max_new_tokens=1).answer(QUESTIONS[:1])
    build(prompt, TASK, model=trained, max_new_tokens=1, show_labels=True).answer(QUESTIONS[:1])
    build(prompt, TASK, model=nano, max_new_tokens=1, show_labels=False, instruction="").answer(QUESTIONS[:1])
    assert chats[0][0]["content"] == "say what it is about."
    assert chats[1][0]["content"].endswith("card lost, top up, close.")
    assert [turn["role"] for turn in chats[2]] == ["user"]


def test_a_list_of_labels_that_is_too_long_is_left_out_with_a_note(nano, chats):
    many = Task("bank", "classification", "say it.", tuple(f"label number {i}" for i in range(99)))
    system = build(prompt, many, model=nano)
    system.answer(QUESTIONS[:1])
    assert chats[0][0]["content"] == "say it."
    [note] = system.notes
    assert "99 labels" in note and "show_labels" in note
    assert "labels_left_out" in system.about and "labels_left_out" not in build(prompt, TASK, model=nano).about


def test_the_nearest_shot_is_last_and_is_never_the_question(nano, chats, prepared):
    build(prompt, TASK, model=nano, num_shots=3, examples=prepared, max_new_tokens=1).answer(QUESTIONS)
    assert [turn["role"] for turn in chats[0]] == ["system", *["user", "assistant"] * 3, "user"]
    assert chats[0][-2]["content"] == "card lost"
    shown = [turn["content"] for turn in chats[1] if turn["role"] == "user"][:-1]
    assert "can i top up with cash" not in shown
    assert len(shown) == 3


def test_fixed_shots_are_the_same_for_all_questions_and_show_every_label(nano, chats, prepared):
    keys = {"num_shots": 3, "shots": "fixed", "examples": prepared}
    build(prompt, TASK, model=nano, max_new_tokens=1, **keys).answer(QUESTIONS)
    assert chats[0][:-1] == chats[1][:-1]
    assert {turn["content"] for turn in chats[0] if turn["role"] == "assistant"} == {"card lost", "top up", "close"}


def test_random_shots_differ_by_question_and_repeat_by_seed(nano, chats, prepared):
    keys = {"num_shots": 4, "shots": "random", "examples": prepared}
    for seed in (0, 0, 1):
        build(prompt, TASK, model=nano, max_new_tokens=1, seed=seed, **keys).answer(QUESTIONS)
    assert chats[0][:-1] != chats[1][:-1]
    assert chats[0:2] == chats[2:4]
    assert chats[0:2] != chats[4:6]


def test_shots_need_enough_examples(nano, prepared):
    with pytest.raises(SlmkitError, match="num_shots is 2"):
        build(prompt, TASK, model=nano, num_shots=2)
    with pytest.raises(SlmkitError, match=r"num_shots is 10\b.* 10 examples") as caught:
        build(prompt, TASK, model=nano, num_shots=10, examples=prepared).answer(QUESTIONS)
    assert caught.value.where == str(prepared)


def test_classification_is_answered_with_labels_and_generation_with_free_text(nano):
    assert {a.text for a in build(prompt, TASK, model=nano).answer(QUESTIONS)} <= set(TASK.labels)
    free = build(prompt, TASK, model=nano, decoding="greedy", max_new_tokens=3).answer(QUESTIONS)
    assert not {a.text for a in free} <= set(TASK.labels)


def test_systems_on_the_same_model_load_it_once(nano):
    build(prompt, TASK, model=nano, max_new_tokens=1, device="cpu").answer(QUESTIONS)
    loaded = shared_model(nano, device="cpu")
    build(prompt, FREE, model=nano, max_new_tokens=1, device="cpu").answer(QUESTIONS)
    assert shared_model(nano, device="cpu") is loaded
