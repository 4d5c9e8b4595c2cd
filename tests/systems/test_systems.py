"""Each system asks what it says it asks: the prompts are looked at, the answers are those of the real model."""

import pytest

from slmkit.errors import SlmkitError
from slmkit.models.load import shared_model
from slmkit.systems import NotApplicable, _chat
from slmkit.systems.linear_svm import linear_svm
from slmkit.systems.majority import majority
from slmkit.systems.prompt import prompt
from slmkit.systems.rag import rag
from slmkit.types import Example, ModelRef, Task

TASK = Task("bank", "classification", "say what it is about.", ("card lost", "top up", "close"))
FREE = Task("bank", "generation", "answer.")
QUESTIONS = [
    Example("a", "my card was lost", "card lost"),
    Example("b", "can i top up with cash", "top up"),
]


@pytest.fixture
def chats(monkeypatch):
    """The chats that reach the model, in order."""
    seen = []
    answer = _chat.ChatModel.answer

    def listen(self, examples, turns, **options):
        seen.extend([*self.opening, *its_turns] for its_turns in turns)
        return answer(self, examples, turns, **options)

    monkeypatch.setattr(_chat.ChatModel, "answer", listen)
    return seen


def test_a_zero_shot_prompt_is_instruction_labels_and_question(nano, chats):
    heard = []
    answers = prompt(TASK, model=nano, max_new_tokens=4).answer(QUESTIONS, on_answer=heard.append)
    assert chats[0] == [
        {"role": "system", "content": "say what it is about. Answer with exactly one of: card lost, top up, close."},
        {"role": "user", "content": "my card was lost"},
    ]
    assert [answer.example_id for answer in answers] == ["a", "b"]
    assert sorted(heard, key=lambda answer: answer.example_id) == answers
    assert all(answer.prompt_tokens > 10 and answer.seconds > 0 for answer in answers)


def test_labels_are_not_listed_to_a_model_that_a_run_trained(nano, chats, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(nano.path)
    trained = ModelRef("loop/train", str(tmp_path / "run"))
    prompt(TASK, model=trained, max_new_tokens=1).answer(QUESTIONS[:1])
    prompt(TASK, model=trained, max_new_tokens=1, show_labels=True).answer(QUESTIONS[:1])
    prompt(TASK, model=nano, max_new_tokens=1, show_labels=False, instruction="").answer(QUESTIONS[:1])
    assert chats[0][0]["content"] == "say what it is about."
    assert chats[1][0]["content"].endswith("card lost, top up, close.")
    assert [turn["role"] for turn in chats[2]] == ["user"]


def test_the_nearest_shots_stand_last_and_never_are_the_question(nano, chats, prepared):
    prompt(TASK, model=nano, num_shots=3, examples=prepared, max_new_tokens=1).answer(QUESTIONS)
    assert [turn["role"] for turn in chats[0]] == ["system", *["user", "assistant"] * 3, "user"]
    assert chats[0][-2]["content"] == "card lost"
    shown = [turn["content"] for turn in chats[1] if turn["role"] == "user"][:-1]
    assert "can i top up with cash" not in shown
    assert len(shown) == 3


def test_fixed_shots_are_the_same_for_all_and_show_every_label(nano, chats, prepared):
    prompt(TASK, model=nano, num_shots=3, shots="fixed", examples=prepared, max_new_tokens=1).answer(QUESTIONS)
    assert chats[0][:-1] == chats[1][:-1]
    assert {turn["content"] for turn in chats[0] if turn["role"] == "assistant"} == {"card lost", "top up", "close"}


def test_random_shots_differ_by_question_and_repeat_by_seed(nano, chats, prepared):
    for seed in (0, 0, 1):
        system = prompt(TASK, model=nano, num_shots=4, shots="random", examples=prepared, max_new_tokens=1, seed=seed)
        system.answer(QUESTIONS)
    assert chats[0][:-1] != chats[1][:-1]
    assert chats[0:2] == chats[2:4]
    assert chats[0:2] != chats[4:6]


def test_shots_need_examples_and_enough_of_them(nano, prepared):
    with pytest.raises(SlmkitError, match="no examples to show"):
        prompt(TASK, model=nano, num_shots=2)
    with pytest.raises(SlmkitError, match="only 10 solved examples"):
        prompt(TASK, model=nano, num_shots=10, examples=prepared).answer(QUESTIONS)


def test_rag_puts_the_best_passages_before_the_question(nano, chats, prepared):
    answers = rag(FREE, model=nano, documents=prepared, top_k=2, max_new_tokens=4).answer(QUESTIONS)
    first, second, question = chats[0][-1]["content"].split("\n")
    assert question == "my card was lost"
    assert "card" in first and "card" in second
    assert len(answers[0].passages) == 2
    assert answers[0].passages[0].startswith("p")


def test_rag_reads_a_folder_of_texts_too(nano, chats, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "cards.md").write_text("A lost card is blocked at once.\n")
    (tmp_path / "docs" / "money.md").write_text("Cash cannot be used.\n")
    rag(FREE, model=nano, documents=tmp_path / "docs", top_k=1, max_new_tokens=1).answer(QUESTIONS[:1])
    assert chats[0][-1]["content"] == "A lost card is blocked at once.\nmy card was lost"


def test_a_question_that_finds_nothing_is_asked_as_it_is(nano, chats, prepared):
    rag(FREE, model=nano, documents=prepared, max_new_tokens=1).answer([Example("c", "quantum {input}?", "")])
    assert chats[0][-1]["content"] == "quantum {input}?"


@pytest.mark.parametrize("notes", ["{passages}", "no places", "{passages} {input} {other}", "{passages {input}"])
def test_a_form_for_the_notes_must_have_both_places(nano, prepared, notes):
    with pytest.raises(SlmkitError, match="notes is"):
        rag(FREE, model=nano, documents=prepared, notes=notes)


def test_the_linear_machine_learns_the_labels(prepared):
    answers = linear_svm(TASK, train=prepared).answer(QUESTIONS)
    assert [answer.text for answer in answers] == ["card lost", "top up"]


def test_the_linear_machine_does_not_apply_to_free_text(prepared):
    with pytest.raises(NotApplicable, match="picks labels"):
        linear_svm(FREE, train=prepared)


def test_the_majority_answer_is_the_commonest(prepared):
    assert {answer.text for answer in majority(TASK, train=prepared).answer(QUESTIONS)} <= {"card lost", "top up"}


def test_rows_that_are_no_chats_name_their_line(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"messages": [{"role": "user", "content": "a"}]}\n')
    with pytest.raises(SlmkitError) as error:
        majority(TASK, train=tmp_path).answer(QUESTIONS)
    assert error.value.where.endswith("train.jsonl:1")


def test_arms_on_one_model_load_it_once(nano):
    prompt(TASK, model=nano, max_new_tokens=1, device="cpu").answer(QUESTIONS)
    kept = shared_model(nano, device="cpu")
    prompt(FREE, model=nano, max_new_tokens=1, device="cpu").answer(QUESTIONS)
    assert shared_model(nano, device="cpu") is kept


def test_a_label_task_is_answered_with_labels_and_free_text_freely(nano):
    assert {a.text for a in prompt(TASK, model=nano).answer(QUESTIONS)} <= set(TASK.labels)
    free = prompt(TASK, model=nano, decoding="greedy", max_new_tokens=3).answer(QUESTIONS)
    assert not {a.text for a in free} <= set(TASK.labels)


def test_labels_that_crowd_the_prompt_are_left_out_and_it_is_said(nano, chats):
    crowd = Task("bank", "classification", "say it.", tuple(f"label number {i}" for i in range(99)))
    system = prompt(crowd, model=nano)
    system.answer(QUESTIONS[:1])
    assert chats[0][0]["content"] == "say it."
    assert "the 99 labels are not listed in the prompt" in system.notes[0]
    assert "labels_left_out" in system.about and "labels_left_out" not in prompt(TASK, model=nano).about
