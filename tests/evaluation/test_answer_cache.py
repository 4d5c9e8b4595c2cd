"""Answers are reused across runs only for the same question to the same system, asked in the same way."""

from dataclasses import replace
from datetime import date

import pytest

from slmkit.evaluation.answer_cache import open_cache
from slmkit.evaluation.answer_file import NUM_ALONE, AnswerFile
from slmkit.evaluation.ask import ask
from slmkit.metrics.overlap import f1
from slmkit.recipe.call import Part
from slmkit.types import Answer, Example, Task

TASK = Task("t", instruction="say it")


class Echo:
    """Answers with the target, except question 2, which gives an error; records what it is asked."""

    notes = ("took 4 shots",)

    def __init__(self) -> None:
        self.about = {"model": "echo"}
        self.asked: list[str] = []

    def answer(self, examples, *, on_answer=None):
        self.asked += [example.id for example in examples]
        answers = [Answer(e.id, e.target, error="too long" if e.id == "e2" else "") for e in examples]
        for answer in answers:
            on_answer(answer)
        return answers


def examples(count: int) -> list[Example]:
    return [Example(f"e{i}", f"question {i}", f"answer {i}") for i in range(count)]


@pytest.fixture
def asked(tmp_path):
    """Asks in a new run; returns the ids that the system was asked, and the notes."""
    runs = iter(range(100))

    def ask_in_a_run(key="k", count=30, task=TASK, repetition=0, refresh=False, questions=None, **arguments):
        part, system, notes = Part("systems", "echo", Echo, arguments), Echo(), []
        part.key = key
        folder = tmp_path / str(next(runs))
        folder.mkdir()
        file, questions = AnswerFile(folder / "answered.jsonl"), questions or examples(count)
        kept = open_cache(tmp_path / ".answers", part, task, refresh=refresh, repetition=repetition)
        kept.copy_to(file, "arm", questions, on_note=notes.append)
        answers = ask(lambda: system, "arm", questions, file=file, on_note=notes.append)
        file.add_peak_memory("arm", 7)
        kept.update_from(file, "arm", questions, folder)
        assert [answer.text for answer in answers] == [example.target for example in questions]
        assert file.setups["arm"]["model"] == "echo" and file.peak_memory["arm"] == 7
        assert "arm: took 4 shots" in notes
        return system.asked, notes

    return ask_in_a_run


def test_only_questions_without_an_answer_are_asked_again(asked, tmp_path):
    assert len(asked()[0]) == 30
    again, notes = asked()
    assert again == ["e2"]
    assert "29 of 30" in notes[0] and f"{tmp_path / '0'}, {date.today().isoformat()}" in notes[0]


def test_only_new_questions_are_asked_when_the_set_grows(asked):
    asked(count=25)
    assert set(asked(count=40)[0]) == {"e2", *(f"e{i}" for i in range(25, 40))}


def test_an_answer_from_a_batch_has_no_latency_and_is_asked_again_alone(asked):
    asked()
    moved = [*examples(30)[NUM_ALONE:], *examples(30)[:NUM_ALONE]]
    assert set(asked(questions=moved)[0]) == {"e2", *(f"e{i}" for i in range(12, 30))}


@pytest.mark.parametrize(
    "other", [{"key": "other"}, {"task": Task("t")}, {"repetition": 1}, {"refresh": True}, {"metric": f1}]
)
def test_another_system_task_or_repetition_and_a_forced_run_ask_everything(asked, other):
    asked()
    assert len(asked(**other)[0]) == 30


def test_a_forced_run_that_was_killed_finds_no_old_answers_when_it_is_resumed(asked, tmp_path):
    asked()
    part = Part("systems", "echo", Echo, {})
    part.key = "k"
    open_cache(tmp_path / ".answers", part, TASK, refresh=True)  # and then it was killed
    assert len(asked()[0]) == 30


def test_a_resumed_run_repeats_which_run_its_answers_come_from(tmp_path, asked):
    asked()
    part = Part("systems", "echo", Echo, {})
    part.key = "k"
    seen: list[list[str]] = []
    for _ in range(2):
        notes: list[str] = []
        file = AnswerFile(tmp_path / "answered.jsonl")
        open_cache(tmp_path / ".answers", part, TASK, refresh=False).copy_to(
            file, "arm", examples(30), on_note=notes.append
        )
        seen.append(notes)
    assert seen[0] == seen[1] and "29 of 30" in seen[0][0]


def test_memory_that_was_not_measured_stays_unknown(tmp_path):
    part = Part("systems", "echo", Echo, {})
    part.key = "k"
    file = AnswerFile(tmp_path / "answered.jsonl")
    ask(Echo, "arm", examples(3), file=file)
    open_cache(tmp_path / ".answers", part, TASK, refresh=False).update_from(file, "arm", examples(3), tmp_path)
    again = AnswerFile(tmp_path / "again.jsonl")
    open_cache(tmp_path / ".answers", part, TASK, refresh=False).copy_to(again, "arm", examples(3), on_note=print)
    assert again.answers and "arm" not in again.peak_memory


def test_a_truncated_cache_file_is_ignored(asked, tmp_path):
    asked()
    [file] = (tmp_path / ".answers").glob("*.json")
    file.write_text(file.read_text()[:-9])
    assert len(asked()[0]) == 30
    assert asked()[0] == ["e2"]


def test_a_system_without_a_key_has_no_cache(tmp_path):
    assert open_cache(tmp_path, Part("systems", "echo", Echo, {}), TASK, refresh=False) is None


@pytest.mark.parametrize(
    "change", [{"input": "reworded"}, {"target": "another"}, {"relevant": ("p1",)}, {"aliases": ("also right",)}]
)
def test_a_question_that_changed_in_any_way_is_asked_again(asked, change):
    questions = examples(2)
    assert asked(questions=questions)[0] == ["e0", "e1"]
    assert asked(questions=[replace(questions[0], **change), questions[1]])[0] == ["e0"]
    assert asked(questions=questions)[0] == []
