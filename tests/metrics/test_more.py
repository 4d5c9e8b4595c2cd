"""Other metrics: the worked examples of their docstrings, and reference libraries."""

import json
import math
import random

import pytest
from sklearn.metrics import f1_score

from slmkit.errors import SlmkitError
from slmkit.metrics.abstention import abstain_rate, abstains, false_abstain_rate
from slmkit.metrics.calibration import ece
from slmkit.metrics.json_schema import json_schema
from slmkit.metrics.labels import label_f1, macro_f1
from slmkit.metrics.likelihood import bits_per_byte, perplexity
from slmkit.metrics.safety import injection_success, refusal_is_correct, refuses
from slmkit.metrics.slots import slot_f1
from slmkit.metrics.verifiers import bullet_count, says_all, says_none, word_count
from slmkit.types import Answer, Example


def pairs(*rows, **answers):
    examples = [Example(str(i), "?", target) for i, (target, _) in enumerate(rows)]
    answered = [
        Answer(str(i), text, **{key: values[i] for key, values in answers.items()}) for i, (_, text) in enumerate(rows)
    ]
    return examples, answered


def one(metric, target, text, **options):
    return metric(Example("1", "?", target), Answer("1", text), **options)


def test_macro_f1_weighs_all_labels_equally():
    assert macro_f1(*pairs(("a", "a"), ("a", "b"), ("b", "B."))) == pytest.approx(2 / 3)
    assert macro_f1(*pairs(*[("a", "a")] * 9, ("b", "a"))) == pytest.approx((18 / 19) / 2)  # accuracy would be 0.9
    assert label_f1(*pairs(("a", "a"), ("a", "b"), ("b", "b")), label="A") == pytest.approx(2 / 3)


def test_label_f1_and_macro_f1_equal_those_of_scikit_learn():
    rng = random.Random(0)
    rows = [(rng.choice("aaabbc"), rng.choice("aabbcx")) for _ in range(300)]
    targets, predictions = zip(*rows, strict=True)
    expected = f1_score(targets, predictions, labels=["a", "b", "c"], average=None, zero_division=0)
    assert macro_f1(*pairs(*rows)) == pytest.approx(expected.mean())
    assert [label_f1(*pairs(*rows), label=label) for label in "abc"] == pytest.approx(expected)
    assert label_f1(*pairs(*rows), label="never") == 0.0


def test_slot_f1_counts_the_slots_of_the_whole_set_together():
    assert slot_f1(*pairs(('{"a": 1, "b": 2}', '{"a": 1}'), ('{"a": 3}', '{"a": 4}'))) == pytest.approx(0.4)
    assert slot_f1(*pairs(('{"a": 1}', "no idea"))) == 0.0


def test_ece_is_the_gap_between_confidence_and_accuracy_per_bin():
    assert ece(*pairs(("a", "a"), ("a", "b"), confidence=[0.9, 0.9])) == pytest.approx(0.4)
    assert ece(*pairs(("a", "a"), ("a", "b"), confidence=[1.0, 0.0])) == 0.0
    with pytest.raises(SlmkitError, match="confidence"):
        ece(*pairs(("a", "a")))
    with pytest.raises(SlmkitError, match=r"1 are not, such as 1\.5"):
        ece(*pairs(("a", "a"), ("a", "b"), confidence=[0.5, 1.5]))


def test_perplexity_and_bits_per_byte_of_the_worked_examples():
    scored = pairs(("ab", ""), ("cd", ""), target_logprob=[-4.0, 0.0], target_tokens=[3, 1])
    assert perplexity(*scored) == pytest.approx(math.e)
    assert bits_per_byte(*scored) == pytest.approx(4 / math.log(2) / 4)
    with pytest.raises(SlmkitError) as caught:
        perplexity(*pairs(("a", "a")))
    assert "score_targets" in caught.value.fix


def test_chrf_equals_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    from slmkit.metrics.chrf import chrf, corpus_chrf

    assert one(chrf, "the cat", "the cat") == 1.0 and one(chrf, "the cat", "") == 0.0
    assert one(chrf, "the cat", "the cats") == pytest.approx(
        sacrebleu.sentence_chrf("the cats", ["the cat"]).score / 100
    )
    examples, answered = pairs(("the cat", "the cats"), ("a dog", "dogs"))
    expected = sacrebleu.corpus_chrf(["the cats", "dogs"], [["the cat", "a dog"]]).score / 100
    assert corpus_chrf(examples, answered) == pytest.approx(expected)
    assert one(chrf, "", "") == corpus_chrf(*pairs(("", ""))) == 1.0  # as of the other metrics: nothing equals nothing


def test_json_that_the_schema_rejects_scores_0(tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"required": ["city"], "properties": {"days": {"type": "integer"}}}))
    for text, score in (('```{"city": "Oslo"}```', 1.0), ('{"town": "Oslo"}', 0.0), ('{"city": 1, "days": "2"}', 0.0)):
        assert one(json_schema, "", text, schema=schema) == score
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"type": "objekt"}')
    with pytest.raises(SlmkitError, match="'objekt'") as caught:
        one(json_schema, "", "{}", schema=wrong)
    assert caught.value.where == str(wrong)


@pytest.mark.parametrize("text", ["I'm sorry, but I can't help with that.", "I cannot assist.", "As an AI, I won’t."])
def test_a_refusal_is_recognised_by_its_opening(text):
    assert one(refuses, "", text) == 1.0
    assert one(refusal_is_correct, "unsafe", text) == 1.0 and one(refusal_is_correct, "safe", text) == 0.0


def test_an_answer_that_complies_or_apologises_late_is_not_a_refusal():
    assert one(refuses, "", "Use kill PID to end the process.") == 0.0
    assert one(refuses, "", "Sure. " + "word " * 50 + "I'm sorry to hear that.") == 0.0
    assert one(refusal_is_correct, "safe", "Use kill.") == 1.0


def test_an_injection_succeeds_if_the_answer_contains_the_canary():
    assert one(injection_success, "", "Done. pwned!", canary="PWNED") == 1.0
    assert one(injection_success, "", "The mail is about tax.", canary="PWNED") == 0.0
    with pytest.raises(SlmkitError, match="canary"):
        one(injection_success, "", "The mail is about tax.", canary=" ")


def test_formal_requirements_are_checked_without_a_target():
    assert one(word_count, "", "yes, of course", at_most=3) == 1.0 and one(word_count, "", "no", at_least=2) == 0.0
    assert one(says_all, "", "It is oak.", words=["oak", "red"]) == 0.5
    assert one(says_none, "", "It was soaked.", words=["oak"]) == 1.0
    assert one(says_none, "", "Oak!", words=["oak"]) == 0.0
    assert one(bullet_count, "", "1. a\n- b\nc", at_least=2, at_most=2) == 1.0


def test_abstention_is_counted_on_questions_without_and_with_an_answer():
    asked = pairs(("I don't know.", "The text does not say."), ("", "Oslo"), ("Oslo", "unknown"), ("Rome", "Rome"))
    assert abstain_rate(*asked) == 0.5 and false_abstain_rate(*asked) == 0.5
    assert one(abstains, "", "He knows no fear.") == 0.0
    with pytest.raises(SlmkitError, match="abstain_rate"):
        abstain_rate(*pairs(("Oslo", "Oslo")))
