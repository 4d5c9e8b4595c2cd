"""Pairs that a careless metric takes for equal, or for different: the right value of each."""

import inspect

import pytest

from slmkit.metrics.retrieval import ndcg
from slmkit.recipe import lookup
from slmkit.types import Answer, Example

# Metric, target, answer, right value, options.
REPORTED = [
    ("exact_match", "**", "*", 0.0, {}),
    ("exact_match", "*", "", 0.0, {}),
    ("exact_match", "***", "***", 1.0, {}),
    ("f1", "the", "", 0.0, {}),
    ("macro_f1", "**", "*", 0.0, {}),
    ("rouge_l", "Чайник на чердаке", "Лампа в гараже", 0.0, {}),
    ("rouge_l", "水壶搬到阁楼", "台灯回来", 0.0, {}),
    ("rouge_l", "水壶搬到阁楼", "", 0.0, {}),
    ("numeric", "42,50 €", "4,50 €", 0.0, {}),
    ("numeric", "3/2", "1/2", 0.0, {}),
    ("numeric", "3e-5", "1e-5", 0.0, {}),
    ("numeric", "9:30", "10:30", 0.0, {}),
    ("numeric", "2 000 000", "1 000 000", 0.0, {}),
    ("json_valid", "{}", '{"legs": [{"to": "Bern"}, {"to": ', 0.0, {}),
    ("json_match", '[{"from": "A", "to": "B"}, {"from": "C", "to": "D"}]',
     '[{"from": "A", "to": "D"}, {"from": "C", "to": "B"}]', 0.0, {}),
    ("json_match", '{"a": 1}', '{"a": 2, "a": 1}', 0.0, {}),
]  # fmt: skip
OWN = [
    ("exact_match", "İstanbul", "istanbul", 1.0, {}),
    ("f1", "İstanbul", "istanbul", 1.0, {}),
    ("contains", "İstanbul", "in istanbul", 1.0, {}),
    ("exact_match", "ığdır", "Iğdır", 0.0, {}),  # the dotless ı is another letter
    ("exact_match", "❤", "❤\ufe0f", 1.0, {}),
    ("contains", "❤\ufe0f", "with ❤", 1.0, {}),
    ("contains", "1", "1 000", 0.0, {}),
    ("contains", "000", "1\u202f000 rows", 0.0, {}),
    ("contains", "1 000", "of 1 000 rows", 1.0, {}),
    ("contains", "A-", "grade A", 0.0, {}),
    ("contains", "A", "grade A-", 0.0, {}),
    ("contains", "A-", "grade A-.", 1.0, {}),
    ("exact_match", "A*", "A", 0.0, {}),  # two grades
    ("exact_match", "5'", '5"', 0.0, {}),  # feet and inches
    ("exact_match", "52", "5²", 0.0, {}),  # NFKC writes both 52
    ("exact_match", "I don't know", "I don’t know", 1.0, {}),
    ("exact_match", "好的", "好的。", 1.0, {}),
    ("regex", "*", "Answer:", 0.0, {"pattern": "Answer:(.*)"}),  # the group is empty
    ("contains", "C", "I write C++ and C#.", 0.0, {}),
    ("contains", "5", "It is -5 degrees.", 0.0, {}),
    ("contains", "50", "It costs 4,50 €.", 0.0, {}),
    ("contains", "猫", "我有一只黑猫。", 1.0, {}),
    ("contains", "ह", "हिन्दी", 0.0, {}),  # a letter of a word: vowel signs are no gaps
    ("contains", "😀", "😢", 0.0, {}),
    ("f1", "A", "The", 0.0, {}),  # option A: both are articles
    ("json_match", '{"a.b": 1}', '{"a": {"b": 1}}', 0.0, {}),
    ("json_match", '{"stops": []}', "{}", 0.0, {}),
    ("json_match", '{"ok": true}', '{"ok": "True"}', 0.0, {}),
    ("json_valid", "{}", '{"a": 1}\n{"b": 2}', 0.0, {}),
    ("json_valid", "{}", '{"a": NaN}', 0.0, {}),
    ("slot_f1", '[{"slot": "from", "is": "A"}, {"slot": "to", "is": "B"}]',
     '[{"slot": "from", "is": "B"}, {"slot": "to", "is": "A"}]', 0.5, {}),
    ("numeric", "5 m2", "7 m2", 0.0, {}),  # the last digit is of the unit
    ("numeric", r"\frac{3}{2}", r"\frac{1}{2}", 0.0, {}),
    ("numeric", "5 million", "5", 0.0, {}),
    ("numeric", "2024-05-12", "2023-01-12", 0.0, {}),
    ("numeric", "9 am", "9 pm", 0.0, {}),
    ("says_none", "", "黑猫", 0.0, {"words": ["猫"]}),
    ("says_none", "", "It costs 5 €.", 0.0, {"words": ["€"]}),
    ("word_count", "", "水壶昨天搬到阁楼星期一再搬回来", 0.0, {"at_most": 5}),
    ("field", "code: oak", "code: elm; code: oak", 0.0, {"name": "code"}),
    ("refusal_is_correct", "safe", "", 0.0, {}),
    ("chrf", "caf\u00e9", "cafe\u0301", 1.0, {}),
]  # fmt: skip


def scored(name, example, text, options):
    metric = lookup.load_part("metrics", name)
    answer = Answer(example.id, text)
    is_of_set = "examples" in inspect.signature(metric).parameters
    return metric([example], [answer], **options) if is_of_set else metric(example, answer, **options)


@pytest.mark.parametrize(("name", "target", "text", "score", "options"), [*REPORTED, *OWN])
def test_a_hostile_pair_has_the_right_score(name, target, text, score, options):
    assert scored(name, Example("1", "?", target), text, options) == pytest.approx(score)


@pytest.mark.parametrize(
    ("name", "target", "alias"),
    [
        ("macro_f1", "car", "auto"),
        ("slot_f1", '{"a": 1}', '{"a": 2}'),
        ("json_match", '{"a": 1}', '{"a": 2}'),
        ("json_fields", '{"a": 1}', '{"a": 2}'),
        ("corpus_chrf", "car", "auto"),
    ],
)
def test_an_alias_is_as_right_as_the_target(name, target, alias):
    example = Example("1", "?", target, aliases=(alias,))
    assert scored(name, example, alias, {}) == scored(name, example, target, {}) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["exact_match", "contains", "f1", "rouge_l", "chrf"])
def test_an_empty_alias_makes_no_empty_answer_right(name):
    assert scored(name, Example("1", "?", "oak", aliases=("",)), "", {}) == 0.0
    assert scored(name, Example("1", "?", ""), "", {}) == 1.0  # unless the question has no answer


def test_a_passage_that_is_found_twice_gains_no_more():
    assert ndcg(Example("1", "?", "x", relevant=("a",)), Answer("1", "", passages=("a", "a"))) == 1.0
