"""Additional metrics have intervals, use the right items, and are refused or noted if they cannot be computed."""

import dataclasses
import random

import pytest

from slmkit.errors import SlmkitError
from slmkit.evaluation.score import score_answers
from slmkit.evaluation.set_metrics import _USES, check_metrics, is_set_metric, more_scores, slice_rows
from slmkit.metrics.abstention import abstain_rate, false_abstain_rate
from slmkit.metrics.calibration import ece
from slmkit.metrics.labels import macro_f1
from slmkit.metrics.likelihood import bits_per_byte, perplexity
from slmkit.metrics.match import exact_match
from slmkit.metrics.overlap import f1
from slmkit.metrics.retrieval import recall
from slmkit.statistics.intervals import mean_score
from slmkit.types import Answer, Example, Task

LABELS = Task("t", "classification", "", ("a", "b"))
EXAMPLES = [Example(str(i), "?", "ab"[i % 2], slice={"half": str(i // 20)}) for i in range(40)]
ANSWERS = [Answer(e.id, "a" if i % 4 else e.target) for i, e in enumerate(EXAMPLES)]


def test_a_set_metric_has_a_reproducible_interval_around_its_value():
    first, again = (more_scores(LABELS, [macro_f1], EXAMPLES, ANSWERS, seed=1)["macro_f1"] for _ in range(2))
    assert first == again and first.n == 40
    assert first.low < first.value == macro_f1(EXAMPLES, ANSWERS) < first.high


def test_a_metric_that_cannot_be_computed_is_noted_and_the_others_are_kept():
    notes = []
    found = more_scores(LABELS, [abstain_rate, exact_match], EXAMPLES, ANSWERS, on_note=notes.append)
    assert list(found) == ["exact_match"]
    assert [note.split()[0] for note in notes] == ["abstain_rate"]


def test_labels_get_macro_f1_and_with_confidences_calibration():
    assert list(more_scores(LABELS, None, EXAMPLES, ANSWERS)) == ["macro_f1"]
    sure = [Answer(answer.example_id, answer.text, confidence=0.5) for answer in ANSWERS]
    assert list(more_scores(LABELS, None, EXAMPLES, sure)) == ["macro_f1", "ece"]


def test_retrieval_is_scored_if_the_gold_set_names_relevant_passages():
    examples = [Example("1", "?", "x", relevant=("p",))]
    found = more_scores(Task("t"), None, examples, [Answer("1", "x", passages=("q", "p"))])
    assert (found["recall"].value, found["mrr"].value) == (1.0, 0.5)
    assert list(more_scores(Task("t"), None, examples, [Answer("1", "x")])) == ["f1"]


def test_abstention_is_scored_if_some_questions_have_no_answer():
    examples = [Example("1", "?", "the notes do not say"), Example("2", "?", "oak"), Example("3", "?", "elm")]
    answers = [Answer("1", "I do not know."), Answer("2", "The notes do not say."), Answer("3", "elm")]
    found = more_scores(Task("t"), None, examples, answers)
    assert (found["abstain_rate"].value, found["false_abstain_rate"].value) == (1.0, 0.5)
    assert list(more_scores(Task("t"), None, examples[:1], answers[:1])) == ["f1", "abstain_rate"]


def test_a_set_metric_cannot_be_the_score():
    assert is_set_metric(macro_f1) and not is_set_metric(exact_match)
    with pytest.raises(SlmkitError, match="macro_f1") as caught:
        check_metrics(macro_f1, None)
    assert "more_metrics" in caught.value.fix


def test_slices_are_sorted_by_the_difference_between_systems():
    scores = {"x": [1.0] * 40, "y": [1.0] * 20 + [0.0] * 20}
    rows = slice_rows(EXAMPLES, scores, labels=True)
    assert rows[0] == {"slice": "half=1", "n": 20, "x": 1.0, "y": 0.0}
    assert [row["slice"] for row in rows] == ["half=1", "label=a", "label=b", "half=0"]


def on_documents(num: int, each: int) -> tuple[list[Example], list[Answer]]:
    """`num` documents with `each` questions; all answers on one document are right, or all are wrong."""
    draw = random.Random(0)
    is_right = [draw.random() < 0.5 for _ in range(num)]
    questions = [(str(d), i) for d in range(num) for i in range(each)]
    examples = [Example(f"{d}.{i}", "?", "ab"[i % 2], slice={"document": d}) for d, i in questions]
    answers = [Answer(e.id, e.target if is_right[int(e.slice["document"])] else "c") for e in examples]
    return examples, answers


def test_items_that_share_a_document_widen_the_interval_of_every_metric():
    examples, answers = on_documents(num=40, each=9)
    alone = [dataclasses.replace(example, slice={}) for example in examples]
    metrics = [macro_f1, exact_match, f1]
    together, apart = (more_scores(LABELS, metrics, rows, answers) for rows in (examples, alone))
    for name in ("macro_f1", "exact_match", "f1"):
        assert together[name].value == apart[name].value and together[name].n == apart[name].n == 360
        # 9 items that are always equal count as one: sqrt(9) times as wide
        ratio = (together[name].high - together[name].low) / (apart[name].high - apart[name].low)
        assert ratio == pytest.approx(3, rel=0.25), name


def test_retrieval_scores_of_questions_on_one_document_are_correlated():
    examples = [Example(str(i), "?", "x", relevant=(f"p{i // 5}",)) for i in range(50)]
    answers = [Answer(e.id, "x", passages=e.relevant if int(e.id) % 10 < 5 else ("q",)) for e in examples]
    found = more_scores(Task("t"), [], examples, answers)["recall"]
    apart = mean_score([float(answer.passages != ("q",)) for answer in answers])
    assert (found.value, found.n) == (0.5, 50)
    assert found.high - found.low > 1.5 * (apart.high - apart.low)


SCORED = [Answer(str(i), "x", confidence=0.9, target_logprob=-1.0, target_tokens=1) for i in range(3)]
UNANSWERED = [Example(str(i), "?", "x" if i else "I do not know") for i in range(10)]


@pytest.mark.parametrize("metric", [ece, perplexity, bits_per_byte, abstain_rate, false_abstain_rate, macro_f1])
def test_n_counts_the_items_that_the_metric_uses(metric):
    answers = [*SCORED, *(Answer(e.id, "I do not know" if e.id < "6" else "x") for e in UNANSWERED[3:])]
    n = {"ece": 3, "perplexity": 3, "bits_per_byte": 3, "abstain_rate": 1, "false_abstain_rate": 9, "macro_f1": 10}
    found = more_scores(LABELS, [metric], UNANSWERED, answers)[metric.__name__]
    assert found.n == n[metric.__name__]
    on = _USES.get(metric, lambda example, answer: True)
    pairs = [pair for pair in zip(UNANSWERED, answers, strict=True) if on(*pair)]
    assert found.value == metric(*zip(*pairs, strict=True)), "the others do not count"
    if len(pairs) < 10:
        others = [pair for pair in zip(UNANSWERED, answers, strict=True) if not on(*pair)]
        with pytest.raises(SlmkitError):
            metric(*zip(*others, strict=True))


def test_a_retrieval_metric_uses_the_examples_with_relevant_passages():
    examples = [Example("0", "?", "a", relevant=("p",)), *(Example(str(i), "?", "a") for i in range(1, 10))]
    answers = [Answer(e.id, "a", passages=("q",)) for e in examples]
    for asked in (None, [recall]):
        found = more_scores(Task("t"), asked, examples, answers)["recall"]
        assert (found.value, found.n) == (0.0, 1)


def takes_texts(answer: str, target: str) -> float:
    return 1.0 if answer == target else 0.0


def takes_one(answer):
    return 1.0


def takes_none():
    return 1.0


@pytest.mark.parametrize("wrong", [takes_texts, takes_one, takes_none])
def test_a_metric_that_is_not_called_with_an_example_and_an_answer_is_refused(wrong):
    with pytest.raises(SlmkitError, match=wrong.__name__) as caught:
        check_metrics(wrong, None)
    assert caught.value.where.startswith(__file__)
    assert f"def {wrong.__name__}(example, answer)" in caught.value.fix


@pytest.mark.parametrize("value", [5, -1.0, 100.0, 1.01])
def test_a_score_is_from_0_to_1_and_a_further_metric_has_any_unit(value):
    def points(example, answer):
        return value if example.id == "1" else 1.0

    with pytest.raises(SlmkitError, match=f"points returned {value:g} for item '1'") as caught:
        score_answers(points, EXAMPLES, ANSWERS)
    assert caught.value.where.startswith(__file__) and caught.value.fix.startswith("more_metrics: [points]")
    with pytest.raises(SlmkitError, match=f"points returned {value:g} for the target"):
        check_metrics(points, None)
    check_metrics(None, [points])
    assert more_scores(LABELS, [points], EXAMPLES, ANSWERS)["points"].value == pytest.approx((39 + value) / 40)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_metric_of_the_set_that_is_not_finite_is_noted(value):
    def odd(examples, answers):
        return value

    notes = []
    assert more_scores(LABELS, [odd], EXAMPLES, ANSWERS, on_note=notes.append) == {}
    assert notes == [f"odd is missing: metric odd returned {value!r} for the whole set"]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "1", (1.0,)])
def test_a_score_must_be_a_finite_number(value):
    def odd(example, answer):
        return value if example.id == "b7" else 1.0

    items = [Example(f"b{i}", "?", "a") for i in range(9)]
    with pytest.raises(SlmkitError, match=r"odd .*'b7'") as caught:
        score_answers(odd, items, [Answer(item.id, "a") for item in items])
    assert caught.value.where.startswith(__file__)
