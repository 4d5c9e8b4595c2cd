"""The score of a system, the rates that explain it, its latency, and the metric chosen by default."""

import json

import pytest

from slmkit.errors import SlmkitError
from slmkit.evaluation.score import answer_row, default_metric, parses, score_answers, shared_documents, summarise
from slmkit.gold.freeze import freeze_gold
from slmkit.metrics.fields import json_fields
from slmkit.metrics.match import exact_match
from slmkit.metrics.overlap import f1
from slmkit.types import Answer, Example, Task

LABELS = Task("t", "classification", labels=("Card lost", "Top up"))


def test_an_answer_with_an_error_scores_zero_and_does_not_lower_the_mean_cost():
    examples = [Example(str(i), "?", "") for i in range(4)]
    answers = [Answer("0", "", prompt_tokens=8, seconds=1.0), Answer("1", "", prompt_tokens=8, seconds=1.0)]
    answers += [Answer(id, "", error="prompt too long", stopped=False) for id in "23"]
    scores = score_answers(f1, examples, answers)
    assert scores == [1.0, 1.0, 0.0, 0.0]
    summary = summarise(Task("t"), answers, scores)
    assert (summary.seconds_per_answer, summary.prompt_tokens, summary.stop_rate) == (1.0, 8.0, 0.5)


def test_one_outlier_in_twenty_does_not_set_the_95th_percentile():
    seconds = [9.0, *[0.01] * 19]
    answers = [Answer("first", "x"), *(Answer(str(i), "x", seconds=s) for i, s in enumerate(seconds))]
    assert summarise(Task("t"), answers, [1.0] * 21).p95_seconds == 0.01


def test_parse_stop_empty_and_error_rates_count_all_answers():
    answers = [
        Answer("1", "card lost."),
        Answer("2", "something else", stopped=False),
        Answer("3", ""),
        Answer("4", "", error="prompt too long"),
    ]
    summary = summarise(LABELS, answers, [1.0, 0.0, 0.0, 0.0])
    assert (summary.parse_rate, summary.stop_rate, summary.empty_rate, summary.error_rate) == (0.25, 0.75, 0.5, 0.25)
    assert summary.score.value == 0.25


def test_latency_is_measured_on_the_answers_asked_one_at_a_time():
    answers = [Answer(str(i), "x", seconds=1.0 if 1 <= i < 21 else 9.0 if i == 0 else 0.1) for i in range(40)]
    summary = summarise(LABELS, answers, [1.0] * 40)
    assert (summary.p50_seconds, summary.p95_seconds) == (1.0, 1.0)
    assert summary.seconds_per_answer == pytest.approx(0.1)
    assert summarise(LABELS, answers[:15], [1.0] * 15).p95_seconds is None  # too few for a tail


def test_an_extraction_parses_if_the_answer_contains_json():
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
        (Task("t"), "图书馆周一到周五早上九点开门，晚上八点关门。", {}, f1),
        (Task("t"), "one " * 20, {"metric": "exact_match"}, exact_match),
    ],
)
def test_the_default_metric_is_that_of_the_card_else_of_the_task(tmp_path, task, target, named, expected):
    gold = freeze_gold(tmp_path / "gold", examples=[Example("1", "?", target)], task=task, source="test", extra=named)
    assert default_metric(gold) is expected


def test_an_unknown_metric_in_a_card_is_refused(tmp_path):
    gold = freeze_gold(
        tmp_path / "gold", examples=[Example("1", "?", "x")], task=LABELS, source="test", extra={"metric": "bleu"}
    )
    with pytest.raises(SlmkitError, match="'bleu'") as error:
        default_metric(gold)
    assert error.value.where.endswith("card.yaml")


def test_an_answer_row_is_json():
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


def test_worked_answers_that_end_with_a_number_are_scored_by_it(tmp_path):
    chain = "Half of 48 is 24, and 48 and 24 make 72 in all.\n#### 72"
    task = Task("sums")
    worked = freeze_gold(tmp_path / "worked", examples=[Example("1", "?", chain)], task=task, source="made")
    assert default_metric(worked).__name__ == "numeric"
    plain = [Example("1", "?", chain), Example("2", "?", "Nobody can tell from this how many there were in all.")]
    assert default_metric(freeze_gold(tmp_path / "plain", examples=plain, task=task, source="made")).__name__ == "f1"
