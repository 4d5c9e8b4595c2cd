"""Targets that a metric cannot read are said, with a metric that can; if it reads none, nothing is asked."""

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmkit.cli.gold import gold_check
from slmkit.errors import SlmkitError
from slmkit.evaluation.unreachable_targets import check_targets, unreachable, unreachable_text
from slmkit.gold.freeze import freeze_gold
from slmkit.metrics.fields import json_fields, json_match
from slmkit.metrics.line_fields import field
from slmkit.metrics.match import contains, exact_match, numeric, regex
from slmkit.metrics.overlap import f1
from slmkit.metrics.slots import slot_f1
from slmkit.recipe.bind import bind_part
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages.compare import check as check_compare
from slmkit.stages.compare import compare
from slmkit.stages.eval import check as check_eval
from slmkit.stages.eval import eval as evaluate
from slmkit.types import Answer, Example, Task


class _AlwaysSeven:
    about: ClassVar = {"model": "none"}

    def answer(self, questions, *, on_answer=None):
        answers = [Answer(question.id, "7") for question in questions]
        for answer in answers:
            on_answer(answer)
        return answers


def examples(*targets, aliases=()):
    return [Example(str(i), f"which cup {i}?", target, aliases=aliases) for i, target in enumerate(targets)]


@pytest.mark.parametrize(
    ("metric", "read", "unread"),
    [
        (json_match, '{"cup": 1}', "red"),
        (json_fields, "[1]", "3"),
        (slot_f1, "{}", "red"),
        (numeric, "about 1,080", "red"),
    ],
)
def test_a_target_that_the_metric_cannot_read_is_counted_and_shown(metric, read, unread):
    text = unreachable_text(metric, examples(read, unread, read))
    assert text.startswith("1 of 3 gold targets holds no ")
    assert f"scores 0 by {metric.__name__}. First: 'which cup 1?' -> {unread!r}. " in text
    assert unreachable_text(metric, examples(read, read)) == ""
    assert unreachable_text(metric, examples(unread, aliases=(read,))) == ""


def test_a_field_that_a_target_lacks_is_counted():
    metric = bind_part("metrics", "field", {"name": "code"})
    text = unreachable_text(metric, examples("code: oak; team: red", "team: red"))
    assert text.startswith("1 of 2 gold targets holds no such field") and metric.label in text
    assert field.__name__ in metric.label


@pytest.mark.parametrize(
    ("targets", "fits"),
    [
        (["1", "2.5 %"], "numeric"),
        (["kind 1", "kind 2"], "exact_match"),
        (['{"a": "b"}', "[]"], "json_fields"),
        (["red"], "exact_match"),
        (["a b " * 9], "f1"),
    ],
)
def test_the_metric_that_is_named_reads_all_the_targets(targets, fits):
    for metric in (json_match, numeric):
        text = unreachable_text(metric, examples(*targets))
        assert text == "" or f" {fits} fits the targets" in text
    assert unreachable_text(numeric, examples(*targets)) or unreachable_text(json_match, examples(*targets))


@pytest.mark.long
@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_metrics_of_any_text_read_every_target(targets):
    for metric in (exact_match, contains, f1, regex):
        assert unreachable(metric, examples(*targets)) == []


def test_a_metric_that_reads_no_target_is_refused_before_any_work(tmp_path):
    gold = freeze_gold(tmp_path / "cups", examples=examples("red", "blue"), task=Task("cups"), source="own").folder
    system = bind_part("systems", "openai_endpoint", {"url": "http://localhost:9/v1", "model_name": "x"})
    metric = bind_part("metrics", "json_match", {})
    for check, keys in ((check_eval, {"system": system}), (check_compare, {"systems": {"a": system}})):
        with pytest.raises(SlmkitError, match="2 of 2 gold targets hold no JSON") as refused:
            check(**keys, gold=gold, metric=metric)
        assert refused.value.fix == "set metric=exact_match"
    check_targets(json_match, [], where="")


@pytest.mark.parametrize("stage", ["eval", "compare"])
def test_eval_and_compare_say_which_targets_the_metric_does_not_read(tmp_path, stage):
    given = examples(*["7"] * 11, "red")
    gold = freeze_gold(tmp_path / "cups", examples=given, task=Task("cups"), source="own").folder
    run, metric = Run(tmp_path / "run"), bind_part("metrics", "numeric", {})
    system = Part("systems", "always_seven", lambda task: _AlwaysSeven(), {})
    more = [bind_part("metrics", "json_match", {})]
    if stage == "eval":
        evaluate(run, system=system, gold=gold, metric=metric, more_metrics=more)
    else:
        compare(run, systems={"a": system, "b": system}, gold=gold, metric=metric, more_metrics=more)
    assert "1 of 12 gold targets holds no number" in run.verdict_text
    assert "12 of 12 gold targets hold no JSON" in run.path("notes.jsonl").read_text()


def test_gold_check_says_it_of_the_metric_of_the_card(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = Task("cups", "extraction")
    freeze_gold(tmp_path / "gold/cups", examples=examples('{"cup": 1}', "red"), task=task, source="own")
    gold_check("cups")
    assert "! metric: 1 of 2 gold targets holds no JSON" in capsys.readouterr().out
