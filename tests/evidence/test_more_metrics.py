"""What is measured beside the score, with intervals, and what is said where it cannot be."""

import pytest

from slmkit.errors import SlmkitError
from slmkit.evidence.more_metrics import check_metrics, is_set_metric, more_scores, slice_rows
from slmkit.metrics.abstention import abstain_rate
from slmkit.metrics.labels import macro_f1
from slmkit.metrics.match import exact_match
from slmkit.types import Answer, Example, Task

LABELS = Task("t", "classification", "", ("a", "b"))
EXAMPLES = [Example(str(i), "?", "ab"[i % 2], slice={"half": str(i // 20)}) for i in range(40)]
ANSWERS = [Answer(e.id, "a" if i % 4 else e.target) for i, e in enumerate(EXAMPLES)]


def test_a_set_metric_has_an_interval_around_its_value_and_the_same_one_each_time():
    first, again = (more_scores(LABELS, [macro_f1], EXAMPLES, ANSWERS, seed=1)["macro_f1"] for _ in range(2))
    assert first == again and first.n == 40
    assert first.low < first.value == macro_f1(EXAMPLES, ANSWERS) < first.high


def test_what_cannot_be_measured_is_said_and_costs_nothing_else():
    said = []
    found = more_scores(LABELS, [abstain_rate, exact_match], EXAMPLES, ANSWERS, on_note=said.append)
    assert list(found) == ["exact_match"]
    assert said == ["abstain_rate is not measured: no question of the gold set has none: no target abstains"]


def test_labels_are_measured_by_macro_f1_and_calibration_where_confidence_is_stated():
    assert list(more_scores(LABELS, None, EXAMPLES, ANSWERS)) == ["macro_f1"]
    sure = [Answer(answer.example_id, answer.text, confidence=0.5) for answer in ANSWERS]
    assert list(more_scores(LABELS, None, EXAMPLES, sure)) == ["macro_f1", "ece"]


def test_passages_found_are_measured_where_gold_names_the_right_ones():
    examples = [Example("1", "?", "x", relevant=("p",))]
    found = more_scores(Task("t"), None, examples, [Answer("1", "x", passages=("q", "p"))])
    assert (found["recall"].value, found["mrr"].value) == (1.0, 0.5)
    assert list(more_scores(Task("t"), None, examples, [Answer("1", "x")])) == ["f1"]


def test_abstaining_is_measured_where_some_questions_have_no_answer():
    examples = [Example("1", "?", "the notes do not say"), Example("2", "?", "oak"), Example("3", "?", "elm")]
    answers = [Answer("1", "I do not know."), Answer("2", "The notes do not say."), Answer("3", "elm")]
    found = more_scores(Task("t"), None, examples, answers)
    assert (found["abstain_rate"].value, found["false_abstain_rate"].value) == (1.0, 0.5)
    assert list(more_scores(Task("t"), None, examples[:1], answers[:1])) == ["f1", "abstain_rate"]


def test_a_set_metric_cannot_be_the_score():
    assert is_set_metric(macro_f1) and not is_set_metric(exact_match)
    with pytest.raises(SlmkitError, match="item by item") as caught:
        check_metrics(macro_f1, None)
    assert "more_metrics: [macro_f1]" in caught.value.fix


def test_slices_stand_in_the_order_in_which_the_systems_differ():
    scores = {"x": [1.0] * 40, "y": [1.0] * 20 + [0.0] * 20}
    rows = slice_rows(EXAMPLES, scores, labels=True)
    assert rows[0] == {"slice": "half=1", "n": 20, "x": 1.0, "y": 0.0}
    assert [row["slice"] for row in rows] == ["half=1", "label=a", "label=b", "half=0"]
