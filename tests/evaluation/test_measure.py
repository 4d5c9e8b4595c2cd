"""Answers are kept as they come, nothing is asked twice, and the rates beside a score say what went wrong."""

import json

import pytest

from slmkit.errors import SlmkitError
from slmkit.evaluation.measure import (
    AnswerFile,
    answer_row,
    ask,
    default_metric,
    parses,
    score_answers,
    shared_documents,
    summarise,
)
from slmkit.gold.gold_set import freeze_gold
from slmkit.metrics.fields import json_fields
from slmkit.metrics.match import exact_match
from slmkit.metrics.overlap import f1
from slmkit.types import Answer, Example, Task

LABELS = Task("t", "classification", labels=("Card lost", "Top up"))


class Echo:
    """Answers each example with its target; notes what it was asked, and may stop working after some."""

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


def test_a_system_whose_answers_are_all_there_is_not_built(tmp_path):
    file = AnswerFile(tmp_path / "answered.jsonl")
    ask(Echo, "echo", examples(3), file=file)
    again = AnswerFile(tmp_path / "answered.jsonl")
    assert ask(lambda: pytest.fail("built"), "echo", examples(3), file=again)
    assert again.setups.keys() == {"echo"}


def test_a_kill_inside_a_character_is_mended_and_half_a_character_is_kept_as_a_question_mark(tmp_path):
    path = tmp_path / "answered.jsonl"
    file = AnswerFile(path)
    file.add("s", Answer("1", "sch\u00f6n"))
    file.add("s", Answer("2", "half \ud800"))
    path.write_bytes(path.read_bytes() + '{"system": "s", "text": "\u00f6'.encode()[:-1])
    again = AnswerFile(path)
    assert [answer.text for answer in again.answers.values()] == ["sch\u00f6n", "half ?"]
    assert path.read_bytes().endswith(b"}\n")


def test_what_a_system_decided_is_said_again_by_a_run_that_asks_nothing(tmp_path):
    class Chooser(Echo):
        notes = ("took 4 shots",)

    said: list[str] = []
    for _ in range(2):
        ask(Chooser, "s", examples(3), file=AnswerFile(tmp_path / "answered.jsonl"), on_note=said.append)
    assert said == ["s: took 4 shots"] * 2


def test_no_answer_is_not_right_and_not_cheap():
    asked = [Example(str(i), "?", "") for i in range(4)]
    given = [Answer("0", "", prompt_tokens=8, seconds=1.0), Answer("1", "", prompt_tokens=8, seconds=1.0)]
    given += [Answer(id, "", error="prompt too long", stopped=False) for id in "23"]
    scores = score_answers(f1, asked, given)
    assert scores == [1.0, 1.0, 0.0, 0.0]
    summary = summarise(Task("t"), given, scores)
    assert (summary.seconds_per_answer, summary.prompt_tokens, summary.stop_rate) == (1.0, 8.0, 0.5)


def test_p95_is_no_maximum():
    seconds = [9.0, *[0.01] * 19]
    answers = [Answer("first", "x"), *(Answer(str(i), "x", seconds=s) for i, s in enumerate(seconds))]
    assert summarise(Task("t"), answers, [1.0] * 21).p95_seconds == 0.01


def test_the_first_examples_are_asked_one_at_a_time(tmp_path):
    echo = Echo()
    ask(lambda: echo, "echo", examples(30), file=AnswerFile(tmp_path / "answered.jsonl"))
    assert [len(call) for call in echo.asked] == [1] * 21 + [9]


def test_answers_of_two_systems_do_not_mix(tmp_path):
    file = AnswerFile(tmp_path / "answered.jsonl")
    ask(Echo, "one", examples(3), file=file)
    two = Echo()
    ask(lambda: two, "two", examples(3), file=file)
    assert len(two.asked) == 3


def test_rates_tell_form_from_ability():
    answers = [
        Answer("1", "card lost."),
        Answer("2", "something else", stopped=False),
        Answer("3", ""),
        Answer("4", "", error="prompt too long"),
    ]
    summary = summarise(LABELS, answers, [1.0, 0.0, 0.0, 0.0])
    assert (summary.parse_rate, summary.stop_rate, summary.empty_rate, summary.error_rate) == (0.25, 0.75, 0.5, 0.25)
    assert summary.score.value == 0.25


def test_latency_comes_from_those_asked_alone():
    answers = [Answer(str(i), "x", seconds=1.0 if 1 <= i < 21 else 9.0 if i == 0 else 0.1) for i in range(40)]
    summary = summarise(LABELS, answers, [1.0] * 40)
    assert (summary.p50_seconds, summary.p95_seconds) == (1.0, 1.0)
    assert summary.seconds_per_answer == pytest.approx(0.1)
    assert summarise(LABELS, answers[:15], [1.0] * 15).p95_seconds is None  # too few for a tail


def test_json_parses_where_it_can_be_read():
    extraction = Task("t", "extraction")
    assert parses(extraction, Answer("1", 'here: {"a": 1}'))
    assert not parses(extraction, Answer("1", "a is 1"))


@pytest.mark.parametrize(
    ("task", "target", "named", "expected"),
    [
        (LABELS, "one " * 20, {}, exact_match),
        (Task("t", "extraction"), "{}", {}, json_fields),
        (Task("t"), "oak", {}, exact_match),
        (Task("t"), "one " * 20, {}, f1),
        (Task("t"), "one " * 20, {"metric": "exact_match"}, exact_match),
    ],
)
def test_the_metric_follows_the_card_and_then_the_task(tmp_path, task, target, named, expected):
    gold = freeze_gold(tmp_path / "gold", examples=[Example("1", "?", target)], task=task, source="test", extra=named)
    assert default_metric(gold) is expected


def test_a_card_that_names_no_known_metric_is_told(tmp_path):
    gold = freeze_gold(
        tmp_path / "gold", examples=[Example("1", "?", "x")], task=LABELS, source="test", extra={"metric": "bleu"}
    )
    with pytest.raises(SlmkitError, match="metric 'bleu'") as error:
        default_metric(gold)
    assert error.value.where.endswith("card.yaml")


def test_a_row_of_the_table_is_json():
    row = answer_row("s", Example("1", "in", "out", slice={"a": "b"}), Answer("1", "out", passages=("p",)), 1.0)
    assert json.loads(json.dumps(row)) == row
    assert row["correct"] and row["passages"] == ["p"] and row["slice"] == {"a": "b"}


def test_examples_with_the_same_passage_share_a_document():
    examples = [
        Example("a", "?", "x", relevant=("p1",)), Example("b", "?", "x", relevant=("p1",)), Example("c", "?", "x"),
        Example("d", "?", "x", slice={"document": "p9"}),
    ]  # fmt: skip
    clusters = shared_documents(examples)
    assert clusters is not None
    assert clusters[0] == clusters[1]
    assert len(set(clusters)) == 3
    assert shared_documents(examples[1:]) is None


def test_worked_answers_that_end_with_their_number_are_scored_by_it(tmp_path):
    chain = "Half of 48 is 24, and 48 and 24 make 72 in all.\n#### 72"
    task = Task("sums")
    worked = freeze_gold(tmp_path / "worked", examples=[Example("1", "?", chain)], task=task, source="made")
    assert default_metric(worked).__name__ == "numeric"
    plain = [Example("1", "?", chain), Example("2", "?", "Nobody can tell from this how many there were in all.")]
    assert default_metric(freeze_gold(tmp_path / "plain", examples=plain, task=task, source="made")).__name__ == "f1"
