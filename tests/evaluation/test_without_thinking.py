"""Only the answer of a reasoning model is scored, whichever system wrote it; the thinking is kept and counted."""

import pytest

from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import NoAnswerError, ask
from slmkit.evaluation.score import answer_row, score_answers
from slmkit.evaluation.without_thinking import without_thinking
from slmkit.metrics.match import exact_match
from slmkit.types import Answer, Example

QUESTIONS = [Example(f"e{i}", f"question {i}", "attic") for i in range(4)]


class Thinking:
    """A system of the user's own, which knows nothing of thinking."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def answer(self, examples, *, on_answer=None):
        answers = [Answer(e.id, self.texts[int(e.id[1:]) % len(self.texts)], completion_tokens=9) for e in examples]
        for answer in answers:
            on_answer(answer)
        return answers


def test_the_answers_of_every_system_are_scored_without_their_thinking(tmp_path):
    notes: list[str] = []
    file = AnswerFile(tmp_path / "answered.jsonl")
    system = Thinking("<think>barn?</think>attic", "attic")
    for _ in range(2):  # the second time from the file
        answers = ask(lambda: system, "s", QUESTIONS, file=file, on_note=notes.append)
        file = AnswerFile(file.path)
    assert score_answers(exact_match, QUESTIONS, answers) == [1.0] * 4
    assert [answer.thinking for answer in answers] == ["barn?", "", "barn?", ""]
    assert answers[0].completion_tokens == 9  # thinking is paid for
    assert notes == ["s: thinking was removed from 2 of 4 answers and is not scored (`thinking` in answers.jsonl)"] * 2
    rows = [answer_row("s", *row) for row in zip(QUESTIONS, answers, [1.0] * 4, strict=True)]
    assert rows[0]["thinking"] == "barn?" and "thinking" not in rows[1]


def test_some_answers_cut_in_their_thinking_are_counted_and_all_of_them_are_an_error(tmp_path):
    notes: list[str] = []
    file = AnswerFile(tmp_path / "answered.jsonl")
    ask(lambda: Thinking("<think>barn", "attic"), "s", QUESTIONS, file=file, on_note=notes.append)
    [thought, missing] = notes
    assert "2 of 4" in thought and "2 of 4" in missing and "Raise max_new_tokens" in missing
    with pytest.raises(NoAnswerError, match="t answered none of 4 questions") as caught:
        ask(lambda: Thinking("<think>barn"), "t", QUESTIONS, file=file)
    assert "max_new_tokens" in caught.value.fix


def test_thinking_that_the_target_asks_for_stays_in_the_answer():
    example = Example("e", "?", "<think>barn?</think>attic")
    assert without_thinking(example, Answer("e", "<think>barn?</think>attic")).text == example.target
    aliased = Example("e", "?", "attic", aliases=("<think>barn?</think>attic",))
    assert without_thinking(aliased, Answer("e", example.target)).thinking == ""


@pytest.mark.parametrize(
    ("text", "stopped", "expected"),
    [
        ("barn", False, ("", "barn")),  # cut before it closed the tag of the prompt
        ("barn?</think>attic", False, ("attic", "barn?")),
        ("barn?</think>attic", True, ("attic", "barn?")),
        ("attic", True, ("attic", "")),  # a model fine-tuned to answer at once
    ],
)
def test_thinking_that_the_prompt_opens_is_told_apart_too(text, stopped, expected):
    answer = without_thinking(QUESTIONS[0], Answer("e0", text, stopped=stopped), prompt_end="<|assistant|>\n<think>\n")
    assert (answer.text, answer.thinking) == expected
    assert bool(answer.error) == (expected[0] == "")


@pytest.mark.parametrize(
    "text",
    ["<think>\n\n</think>\n\nClose it with\n</think>. Done", "</think>\n<think>is a tag</think>", "a <think> tag"],
)
def test_an_answer_is_split_once_however_often_it_is_asked_for(text):
    once = without_thinking(QUESTIONS[0], Answer("e0", text))
    assert without_thinking(QUESTIONS[0], once) == once
    assert once.text.startswith(("Close it with", "<think>is", "a <think>"))


def test_unpaired_surrogates_in_any_text_of_an_answer_do_not_stop_the_run(tmp_path):
    file = AnswerFile(tmp_path / "answered.jsonl")
    file.add("s", Answer("e0", "\ud83d", thinking="hm \ud83d"))
    file.add("s", Answer("e1", "", error="no \ud83d"))
    file.add_notes("s", ["a \ud83d"])
    again = AnswerFile(file.path)
    assert again.answers == file.answers and again.answers["s", "e0"].thinking == "hm ?"
    assert again.answers["s", "e1"].error == "no ?" and again.notes == {"s": ["a ?"]}
