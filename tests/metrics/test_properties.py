"""Properties that hold for any text: the target itself scores 1, scores stay in [0, 1], overlap is symmetric."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmkit.metrics._text import normalised
from slmkit.metrics.fields import json_fields, json_match, json_valid
from slmkit.metrics.labels import macro_f1
from slmkit.metrics.match import contains, exact_match, numeric, regex
from slmkit.metrics.overlap import f1, rouge_l
from slmkit.metrics.retrieval import mrr, ndcg, recall
from slmkit.metrics.slots import slot_f1
from slmkit.metrics.verifiers import says_all, says_none
from slmkit.types import Answer, Example

# Scripts, cases, quotes, spaces and marks that normalisation treats differently.
texts = st.text("aBé ßİ中ا१9.,-−'\"“*…？Ａ🙂_\n\u00a0", min_size=1, max_size=30)
keys = st.text("abc", min_size=1, max_size=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text("abcé", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(keys, values, min_size=1, max_size=3)


def words(letters):
    """Sentences of one to five words of these letters.

    Latin letters only: a text that a metric normalises to nothing (rouge_l: any other script, contains: punctuation)
    is today equal to any other such text.
    """
    return st.lists(st.text(letters, min_size=1, max_size=4), min_size=1, max_size=5).map(" ".join)


def score(metric, target, text, **options):
    return metric(Example("1", "?", target), Answer("1", text), **options)


@pytest.mark.parametrize("metric", [exact_match, contains, f1, rouge_l])
@given(text=texts)
def test_the_target_itself_scores_1(metric, text):
    assert score(metric, text, text) == 1.0


@given(text=texts)
def test_the_target_in_other_case_and_spacing_is_an_exact_match(text):
    assert score(exact_match, normalised(text), f"  {normalised(text)} \n") == 1.0


@given(number=st.decimals(-(10**9), 10**9, places=2))
def test_a_number_equals_itself_within_any_sentence(number):
    assert score(numeric, str(number), f"So it is {number}.") == 1.0


@pytest.mark.parametrize("metric", [exact_match, contains, numeric, f1, rouge_l, json_valid, json_fields, json_match])
@given(target=texts, text=texts)
def test_scores_are_in_0_to_1(metric, target, text):
    assert 0.0 <= score(metric, target, text) <= 1.0


@pytest.mark.parametrize("metric", [f1, rouge_l])
@given(one=texts, other=texts)
def test_word_overlap_is_symmetric(metric, one, other):
    assert score(metric, one, other) == score(metric, other, one)


@given(target=words("abc"), before=texts, after=texts)
def test_a_text_contains_each_of_its_parts(target, before, after):
    assert score(contains, target, f"{before} {target}. {after}") == 1.0


@pytest.mark.parametrize("metric", [exact_match, contains, f1, rouge_l])
@given(target=words("abc"), text=words("xyz"))
def test_texts_without_a_common_word_score_0(metric, target, text):
    assert score(metric, target, text) == 0.0


@given(value=objects)
def test_json_matches_itself_in_any_order_and_inside_a_sentence(value):
    target = json.dumps(value)
    reordered = json.dumps(dict(reversed(value.items())), indent=1, ensure_ascii=False)
    assert score(json_match, target, f"Here it is:\n{reordered}\nDone.") == 1.0


@given(target=objects, answer=objects)
def test_json_fields_are_symmetric(target, answer):
    one, other = json.dumps(target), json.dumps(answer)
    assert score(json_fields, one, other) == score(json_fields, other, one)


@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcx")), min_size=1, max_size=12))
def test_set_metrics_are_in_0_to_1_and_1_for_the_targets_themselves(rows):
    examples = [Example(str(i), "?", json.dumps({target: 1})) for i, (target, _) in enumerate(rows)]
    right = [Answer(example.id, example.target) for example in examples]
    answers = [Answer(str(i), json.dumps({text: 1})) for i, (_, text) in enumerate(rows)]
    for metric in (macro_f1, slot_f1):
        assert metric(examples, right) == 1.0
        assert 0.0 <= metric(examples, answers) <= 1.0


@given(found=st.permutations("abcdef"), relevant=st.sets(st.sampled_from("abcdefg"), min_size=1))
def test_retrieval_metrics_are_in_0_to_1_and_1_for_the_best_order(found, relevant):
    example = Example("1", "?", "", relevant=tuple(sorted(relevant)))
    for metric in (recall, mrr, ndcg):
        assert 0.0 <= metric(example, Answer("1", "", passages=tuple(found))) <= 1.0
        assert metric(example, Answer("1", "", passages=tuple(sorted(relevant)))) == pytest.approx(1.0)


@given(text=texts, required=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4))
def test_required_and_forbidden_words_exclude_each_other(text, required):
    assert score(says_none, "", text, words=required) == float(score(says_all, "", text, words=required) == 0.0)


@given(text=texts)
def test_a_pattern_that_matches_everything_is_an_exact_match(text):
    assert score(regex, text, text, pattern=r"(?s)\A(.*)\Z") == score(exact_match, text, text)
