"""Properties of every metric, found in its folder: the target scores 1, an empty answer 0, scores are in [0, 1]."""

import inspect
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
from slmkit.metrics.verifiers import bullet_count, says_all, says_none, word_count
from slmkit.recipe import lookup
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
    """Sentences of one to five words of these letters."""
    return st.lists(st.text(letters, min_size=1, max_size=4), min_size=1, max_size=5).map(" ".join)


def score(metric, target, text, **options):
    return metric(Example("1", "?", target), Answer("1", text), **options)


# The options that a metric needs for a target, and from what its targets are made. A metric without a target, or of
# the whole set alone, is in the second list; a new one has to be entered in one of them.
shown = st.text(min_size=1).filter(lambda text: text.strip())
documents = objects.map(json.dumps)
numbers = st.builds("{} {}{}".format, shown, st.decimals(-(10**6), 10**6, places=2), st.sampled_from(["", " €", "%"]))
OF_TARGET = {
    "exact_match": (shown, lambda target: {}),
    "contains": (shown, lambda target: {}),
    "regex": (shown, lambda target: {"pattern": r"(?s)\A(.*)\Z"}),
    "f1": (shown, lambda target: {}),
    "rouge_l": (shown, lambda target: {}),
    "chrf": (shown, lambda target: {}),
    "corpus_chrf": (shown, lambda target: {}),
    "macro_f1": (shown, lambda target: {}),
    "label_f1": (shown, lambda target: {"label": target}),
    "numeric": (numbers, lambda target: {}),
    "json_fields": (documents, lambda target: {}),
    "json_match": (documents, lambda target: {}),
    "json_valid": (documents, lambda target: {}),
    "slot_f1": (documents, lambda target: {}),
    "field": (shown.map("code: {}".format).filter(lambda text: ";" not in text), lambda target: {"name": "code"}),
    "refusal_is_correct": (st.just("safe"), lambda target: {}),
}
WITHOUT_TARGET = {
    "abstain_rate", "abstains", "bits_per_byte", "bullet_count", "ece", "false_abstain_rate", "hf_evaluate",
    "hf_evaluate_set", "injection_success", "json_schema", "mrr", "ndcg", "perplexity", "recall", "refuses",
    "reward_model", "says_all", "says_none", "word_count",
}  # fmt: skip


def of(name, example, text, options):
    metric = lookup.load_part("metrics", name)
    answer = Answer(example.id, text)
    is_of_set = "examples" in inspect.signature(metric).parameters
    return metric([example], [answer], **options) if is_of_set else metric(example, answer, **options)


def test_every_metric_is_in_one_of_the_lists():
    assert sorted(lookup.part_files("metrics")) == sorted([*OF_TARGET, *WITHOUT_TARGET])


@pytest.mark.parametrize("name", OF_TARGET)
@given(data=st.data())
def test_the_target_or_an_alias_scores_1_and_an_empty_answer_0(name, data):
    targets, options = OF_TARGET[name]
    target, other = data.draw(targets), data.draw(targets)
    example = Example("1", "?", target, aliases=(other,))
    assert of(name, Example("1", "?", target), target, options(target)) == pytest.approx(1.0)
    assert of(name, example, target, options(target)) == pytest.approx(1.0)
    assert of(name, example, other, options(target)) == pytest.approx(1.0)
    for empty in ("", " \n"):
        assert of(name, example, empty, options(target)) == 0.0
        assert of(name, Example("1", "?", target, aliases=("",)), empty, options(target)) == 0.0


SYMMETRIC = [name for name in OF_TARGET if "Symmetric" in (inspect.getdoc(lookup.load_part("metrics", name)) or "")]


@pytest.mark.parametrize("name", SYMMETRIC)
@given(data=st.data())
def test_a_metric_is_symmetric_if_its_docstring_says_so(name, data):
    one, other = data.draw(OF_TARGET[name][0]), data.draw(OF_TARGET[name][0])
    assert of(name, Example("1", "?", one), other, {}) == of(name, Example("1", "?", other), one, {})


@pytest.mark.parametrize("metric", [word_count, bullet_count, says_all, says_none])
@given(empty=st.sampled_from(["", " ", "\n\u3000"]), word=shown)
def test_an_empty_answer_meets_no_formal_requirement(metric, empty, word):
    options = {"words": [word]} if metric in (says_all, says_none) else {}
    assert score(metric, "", empty, **options) == 0.0


@given(text=st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalised(normalised(text)) == normalised(text)


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
    is_said = score(says_all, "", text, words=required) > 0.0
    assert score(says_none, "", text, words=required) == float(bool(text.strip()) and not is_said)


@given(text=texts)
def test_a_pattern_that_matches_everything_is_an_exact_match(text):
    assert score(regex, text, text, pattern=r"(?s)\A(.*)\Z") == score(exact_match, text, text)
