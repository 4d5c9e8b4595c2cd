"""What one run asked, another need not: but only the same question, to the same system, asked in the same way."""

from datetime import date

import pytest

from slmkit.evaluation.answer_cache import kept_answers
from slmkit.evaluation.measure import NUM_ALONE, AnswerFile, ask
from slmkit.metrics.overlap import f1
from slmkit.recipe.call import Part
from slmkit.types import Answer, Example, Task

TASK = Task("t", instruction="say it")


class Echo:
    """Answers with the target, but for question 2, to which it has no answer; counts what it is asked."""

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
    """Asks in a run of its own, and returns what the system was really asked and what was noted."""
    runs = iter(range(100))

    def ask_in_a_run(key="k", count=30, task=TASK, turn=0, anew=False, questions=None, **arguments):
        part, system, notes = Part("systems", "echo", Echo, arguments), Echo(), []
        part.key = key
        folder = tmp_path / str(next(runs))
        folder.mkdir()
        file, told = AnswerFile(folder / "answered.jsonl"), questions or examples(count)
        kept = kept_answers(tmp_path / ".answers", part, task, anew=anew, turn=turn)
        kept.give("arm", told, file, on_note=notes.append)
        answers = ask(lambda: system, "arm", told, file=file, on_note=notes.append)
        file.add_peak_memory("arm", 7)
        kept.take("arm", told, file, folder)
        assert [answer.text for answer in answers] == [example.target for example in told]
        assert file.setups["arm"]["model"] == "echo" and file.peak_memory["arm"] == 7
        assert "arm: took 4 shots" in notes
        return system.asked, notes

    return ask_in_a_run


def test_only_what_has_no_answer_is_asked_again(asked, tmp_path):
    assert len(asked()[0]) == 30
    again, notes = asked()
    assert again == ["e2"]
    where = f"{tmp_path / '0'}, {date.today().isoformat()}"
    assert notes[0] == f"arm: 29 of 30 answers are those of {where} (--force asks anew)"


def test_more_questions_ask_the_new_ones(asked):
    asked(count=25)
    assert set(asked(count=40)[0]) == {"e2", *(f"e{i}" for i in range(25, 40))}


def test_an_answer_given_among_others_tells_no_latency_and_is_asked_again_alone(asked):
    asked()
    moved = [*examples(30)[NUM_ALONE:], *examples(30)[:NUM_ALONE]]
    assert set(asked(questions=moved)[0]) == {"e2", *(f"e{i}" for i in range(12, 30))}


@pytest.mark.parametrize("other", [{"key": "other"}, {"task": Task("t")}, {"turn": 1}, {"anew": True}, {"metric": f1}])
def test_another_system_task_or_turn_and_a_run_by_force_ask_everything(asked, other):
    asked()
    assert len(asked(**other)[0]) == 30


def test_a_run_by_force_that_was_killed_finds_no_old_answers_when_it_is_resumed(asked, tmp_path):
    asked()
    part = Part("systems", "echo", Echo, {})
    part.key = "k"
    kept_answers(tmp_path / ".answers", part, TASK, anew=True)  # and then it was killed
    assert len(asked()[0]) == 30


def test_a_resumed_run_says_again_whose_answers_it_has(tmp_path, asked):
    asked()
    part = Part("systems", "echo", Echo, {})
    part.key = "k"
    said: list[list[str]] = []
    for _ in range(2):
        notes: list[str] = []
        file = AnswerFile(tmp_path / "answered.jsonl")
        kept_answers(tmp_path / ".answers", part, TASK, anew=False).give(
            "arm", examples(30), file, on_note=notes.append
        )
        said.append(notes)
    assert said[0] == said[1] and "29 of 30" in said[0][0]


def test_memory_that_was_not_measured_is_not_kept_as_none_at_all(tmp_path):
    part = Part("systems", "echo", Echo, {})
    part.key = "k"
    file = AnswerFile(tmp_path / "answered.jsonl")
    ask(Echo, "arm", examples(3), file=file)
    kept_answers(tmp_path / ".answers", part, TASK, anew=False).take("arm", examples(3), file, tmp_path)
    again = AnswerFile(tmp_path / "again.jsonl")
    kept_answers(tmp_path / ".answers", part, TASK, anew=False).give("arm", examples(3), again, on_note=print)
    assert again.answers and "arm" not in again.peak_memory


def test_a_file_that_lost_its_end_is_asked_again(asked, tmp_path):
    asked()
    [file] = (tmp_path / ".answers").glob("*.json")
    file.write_text(file.read_text()[:-9])
    assert len(asked()[0]) == 30
    assert asked()[0] == ["e2"]


def test_without_a_key_nothing_is_kept(tmp_path):
    assert kept_answers(tmp_path, Part("systems", "echo", Echo, {}), TASK, anew=False) is None
