"""Metrics of right and wrong: the worked examples of their docstrings, edge cases, and scikit-learn as reference."""

import inspect
import json

import pytest

from slmkit.metrics._text import normalised
from slmkit.metrics.fields import json_fields, json_match, json_valid
from slmkit.metrics.match import contains, exact_match, numeric, regex
from slmkit.metrics.overlap import f1, rouge_l
from slmkit.metrics.retrieval import mrr, ndcg, recall
from slmkit.recipe import lookup
from slmkit.types import Answer, Example


@pytest.mark.parametrize("name", lookup.part_files("metrics"))
def test_every_listed_metric_has_the_signature_of_a_metric(name):
    signature = inspect.signature(lookup.load_part("metrics", name))
    positional = [
        key for key, parameter in signature.parameters.items() if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    assert positional in (["example", "answer"], ["examples", "answers"])
    assert signature.return_annotation == "float"


def scored(metric, target, text, aliases=(), **options):
    return metric(Example("1", "?", target, aliases=tuple(aliases)), Answer("1", text), **options)


@pytest.mark.parametrize(
    "text", ["top up failed", "Top up  failed.", '"top up failed"', " TOP UP FAILED!\n", "*top up failed*"]
)
def test_exact_match_ignores_case_spacing_quotes_and_final_punctuation(text):
    assert scored(exact_match, "top up failed", text) == 1.0


@pytest.mark.parametrize("text", ["top_up_failed", "top up", "the top up failed", ""])
def test_exact_match_needs_the_same_words(text):
    assert scored(exact_match, "top up failed", text) == 0.0


def test_an_alias_is_right_and_an_error_is_wrong():
    assert scored(exact_match, "car", "auto", aliases=["auto"]) == 1.0
    assert exact_match(Example("1", "?", ""), Answer("1", "", error="no network")) == 0.0


def test_normalising_twice_changes_nothing():
    for text in (" 'Oak.' ", "“A b”", "…", "ｆｕｌｌ width!", "?!", '"'):
        assert normalised(normalised(text)) == normalised(text)


def test_contains_finds_whole_words_only():
    assert scored(contains, "oak", "It is made of Oak.") == 1.0
    assert scored(contains, "oak", "It was soaked.") == 0.0


@pytest.mark.parametrize(
    ("target", "text", "score"),
    [
        ("48 / 2 = 24\n#### 1,080", "So she pays $1080.00.", 1.0),
        ("72", "72 is right, not 71", 0.0),
        ("-5", "The answer is −5", 1.0),
        ("0.5", ".5", 1.0),
        ("3", "none", 0.0),
        ("none", "none", 0.0),
        ("5", "It takes 3-5", 1.0),
        ("-5", "It takes 3-5", 0.0),
        ("10", "5%-10%", 1.0),
        ("0.5", "0.1-.5", 1.0),
        ("-5", "x=-5", 1.0),
        ("-5", "from 3 to -5", 1.0),
    ],
)
def test_numeric_compares_the_last_numbers(target, text, score):
    assert scored(numeric, target, text) == score


def test_numeric_accepts_the_number_of_an_alias():
    example = Example("1", "?", "a dozen", aliases=("12", "twelve"))
    assert numeric(example, Answer("1", "There are 12.")) == 1.0
    assert numeric(example, Answer("1", "There are 13.")) == 0.0


def test_numeric_accepts_numbers_within_the_tolerance():
    assert scored(numeric, "10", "10.4", tolerance=0.5) == 1.0
    assert scored(numeric, "10", "10.6", tolerance=0.5) == 0.0


def test_regex_compares_the_group_of_the_pattern():
    assert scored(regex, "oak", "I think.\nAnswer: Oak.", pattern="Answer: (.*)") == 1.0
    assert scored(regex, "oak", "Oak.", pattern="Answer: (.*)") == 0.0


def test_f1_of_the_worked_example_and_of_empty_texts():
    assert scored(f1, "the red oak table", "a table of oak") == pytest.approx(2 / 3)
    assert scored(f1, "the", "") == 0.0 and scored(f1, "the", "The") == 1.0  # only articles: compared whole
    assert scored(f1, "oak", "") == 0.0


def test_rouge_l_of_the_worked_example_and_of_an_empty_answer():
    assert scored(rouge_l, "the cat sat on the mat", "the cat on mat") == pytest.approx(0.8)
    assert scored(rouge_l, "oak", "") == 0.0


def test_json_fields_are_scored_one_by_one_in_any_order():
    target = json.dumps({"city": "Oslo", "days": 2, "legs": [{"to": "Rome"}, {"to": "Bern"}]})
    assert scored(json_fields, target, target) == 1.0
    assert scored(json_fields, '{"city": "Oslo", "days": 2}', '{"city": "oslo"}') == pytest.approx(2 / 3)
    reordered = json.dumps({"legs": [{"to": "rome"}, {"to": "bern"}], "days": 2, "city": "Oslo"})
    assert scored(json_match, target, f"Here you are:\n```json\n{reordered}\n```") == 1.0
    assert scored(json_match, target, reordered.replace("2", "3")) == 0.0


def test_an_answer_without_json_scores_0():
    assert scored(json_valid, "{}", "no {idea") == 0.0
    assert scored(json_valid, "{}", '{"a": 1} and more') == 1.0
    assert scored(json_fields, '{"a": 1}', "a is 1") == 0.0
    assert scored(json_valid, "{}", "[" * 100_000) == 0.0


def test_retrieval_metrics_of_the_worked_examples():
    example = Example("1", "?", "x", relevant=("b", "c"))
    answer = Answer("1", "", passages=("a", "b", "c"))
    assert recall(example, answer) == 1.0
    assert mrr(example, answer) == 0.5
    assert ndcg(example, answer) == pytest.approx(0.693, abs=1e-3)
    assert recall(example, Answer("1", "", passages=("a", "b"))) == 0.5
    assert mrr(example, Answer("1", "")) == 0.0


def test_a_passage_that_is_found_twice_counts_once():
    example = Example("1", "?", "x", relevant=("a", "b"))
    twice, once = (Answer("1", "", passages=passages) for passages in (("a", "a", "b"), ("a", "b")))
    assert [metric(example, twice) for metric in (recall, mrr, ndcg)] == [1.0] * 3
    assert ndcg(Example("1", "?", "x", relevant=("a",)), twice) == ndcg(example, once) == 1.0


def test_ndcg_equals_that_of_scikit_learn():
    from sklearn.metrics import ndcg_score

    passages = tuple("abcdefghij")
    for relevant in (("a",), ("c", "j"), ("b", "d", "e")):
        truth = [[float(p in relevant) for p in passages]]
        ranked = [[-float(i) for i in range(len(passages))]]
        ours = ndcg(Example("1", "?", "x", relevant=relevant), Answer("1", "", passages=passages))
        assert ours == pytest.approx(ndcg_score(truth, ranked, k=10))
