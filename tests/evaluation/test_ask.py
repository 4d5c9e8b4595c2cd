"""A resumed run asks only what is missing, systems do not mix, and the choices a system made are reported again."""

import json

import pytest

from slmkit.evaluation.answer_file import NUM_ALONE, AnswerFile
from slmkit.evaluation.ask import ask
from slmkit.types import Answer, Example


class Echo:
    """Answers each example with its target; records the calls, and may die after a number of answers."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.asked: list[list[str]] = []
        self.left = dies_after

    def answer(self, examples, *, on_answer=None):
        self.asked.append([example.id for example in examples])
        answers = []
        for example in examples:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left = None if self.left is None else self.left - 1
            answers.append(Answer(example.id, example.target, seconds=0.01))
            on_answer(answers[-1])
        return answers


def examples(count: int) -> list[Example]:
    return [Example(f"e{i}", f"question {i}", f"answer {i}\u2028 over two lines") for i in range(count)]


@pytest.mark.parametrize("killed_at", [0, 5, 11, 12, 29])
def test_a_killed_run_asks_only_what_is_missing(tmp_path, killed_at):
    path = tmp_path / "answered.jsonl"
    first = Echo(dies_after=killed_at)
    with pytest.raises(KeyboardInterrupt):
        ask(lambda: first, "echo", examples(30), file=AnswerFile(path))
    with open(path, "a") as file:
        file.write('{"system": "echo", "example_id": "e2')  # a line that a kill cut short
    second = Echo()
    answers = ask(lambda: second, "echo", examples(30), file=AnswerFile(path))
    assert sorted(id for call in second.asked for id in call) == sorted(e.id for e in examples(30)[killed_at:])
    assert [answer.text for answer in answers] == [example.target for example in examples(30)]
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1])


def test_a_system_that_has_answered_everything_is_not_built_again(tmp_path):
    file = AnswerFile(tmp_path / "answered.jsonl")
    ask(Echo, "echo", examples(3), file=file)
    again = AnswerFile(tmp_path / "answered.jsonl")
    assert ask(lambda: pytest.fail("built"), "echo", examples(3), file=again)
    assert again.setups.keys() == {"echo"}


def test_a_resumed_run_repeats_the_notes_of_its_systems(tmp_path):
    class Chooser(Echo):
        notes = ("took 4 shots",)

    notes: list[str] = []
    for _ in range(2):
        ask(Chooser, "s", examples(3), file=AnswerFile(tmp_path / "answered.jsonl"), on_note=notes.append)
    assert notes == ["s: took 4 shots"] * 2


def test_missing_answers_are_noted_with_their_number_and_the_commonest_reason(tmp_path):
    class Failing(Echo):
        def answer(self, examples, *, on_answer=None):
            for example in examples:
                error = "" if example.id == "e0" else "no network" if example.id == "e1" else "out of luck"
                on_answer(Answer(example.id, "", error=error))
            return [Answer(example.id, "") for example in examples]

    notes: list[str] = []
    ask(Failing, "s", examples(5), file=AnswerFile(tmp_path / "answered.jsonl"), on_note=notes.append)
    [note] = notes
    assert "4 of 5" in note and "out of luck" in note and "no network" not in note


def test_the_first_examples_are_asked_one_at_a_time(tmp_path):
    echo = Echo()
    ask(lambda: echo, "echo", examples(30), file=AnswerFile(tmp_path / "answered.jsonl"))
    assert [len(call) for call in echo.asked] == [1] * NUM_ALONE + [9]


def test_the_answers_of_two_systems_do_not_mix(tmp_path):
    file = AnswerFile(tmp_path / "answered.jsonl")
    ask(Echo, "one", examples(3), file=file)
    two = Echo()
    ask(lambda: two, "two", examples(3), file=file)
    assert len(two.asked) == 3


def test_a_last_line_cut_inside_a_character_is_dropped_and_a_lone_surrogate_becomes_a_question_mark(tmp_path):
    path = tmp_path / "answered.jsonl"
    file = AnswerFile(path)
    file.add("s", Answer("1", "sch\u00f6n"))
    file.add("s", Answer("2", "half \ud800"))
    path.write_bytes(path.read_bytes() + '{"system": "s", "text": "\u00f6'.encode()[:-1])
    again = AnswerFile(path)
    assert [answer.text for answer in again.answers.values()] == ["sch\u00f6n", "half ?"]
    assert path.read_bytes().endswith(b"}\n")
