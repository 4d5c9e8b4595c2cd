"""Gains and losses of a fine-tune: the same questions before and after, on the new task and on tasks to keep."""

import pytest
from project_files import REPOSITORY, read_jsonl

from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_gold
from slmkit.gold.gold_set import read_gold
from slmkit.recipe import lookup
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages.forgetting import check, forgetting
from slmkit.statistics.intervals import mean_score
from slmkit.statistics.paired_tests import holm, paired_difference
from slmkit.types import Answer, Example, Task


class Saying:
    """A system that is right on the known gold sets, and silent on others."""

    def __init__(self, task, *, known):
        self.name, self.right = "saying", task.name in known
        self.about = {"decoding": "by heart"}

    def answer(self, examples, *, on_answer=None):
        answers = [Answer(e.id, e.target if self.right else "", stopped=True) for e in examples]
        for answer in answers:
            if on_answer:
                on_answer(answer)
        return answers


def knowing(*known):
    return Part("systems", "saying", Saying, {"known": known})


GOLD = REPOSITORY / "gold"


def test_gain_and_loss_are_measured_and_the_loss_is_compared_with_its_limit(tmp_path):
    run = Run(tmp_path / "run", name="forgetting")
    forgetting(
        run,
        before=knowing("reading", "skills"),
        after=knowing("tickets", "skills"),
        gold=GOLD / "tickets",
        keep=[GOLD / "reading", GOLD / "skills"],
        limit=20,
        max_loss=0.1,
    )
    assert run.metrics["score"].value == run.metrics["gained"].value == 1.0
    assert run.metrics["reading_change"].value == -1.0
    assert run.metrics["skills_change"].value == 0.0
    assert run.metrics["forgotten"] == 1.0
    assert "reading" in run.verdict_text and "-1.000 [" in run.verdict_text
    made_by = read_jsonl(run.dir / "provenance.jsonl")
    assert [row["system"] for row in made_by] == [
        f"{name}, {when}" for name in ("tickets", "reading", "skills") for when in ("before", "after")
    ]
    assert made_by[2]["gold"] == read_gold(GOLD / "reading").sha256[:12]
    assert {(row["metric"], row["decoding"]) for row in made_by} == {("exact_match", "by heart")}
    assert not run.verdict_positive


class Reader:
    """A system that is right, except on questions about the lost documents."""

    def __init__(self, task, *, lost):
        self.name, self.lost = "reader", lost.get(task.name, ())

    def answer(self, examples, *, on_answer=None):
        answers = [Answer(e.id, "" if e.slice["document"] in self.lost else e.target) for e in examples]
        for answer in answers:
            on_answer(answer)
        return answers


def reader(**lost):
    return Part("systems", "reader", Reader, {"lost": lost})


@pytest.fixture
def about_documents(tmp_path):
    """Three gold sets of 12 documents with 10 questions each."""
    examples = [Example(f"{i}", f"question {i}", f"{i}", slice={"document": f"d{i // 10}"}) for i in range(120)]
    return [
        freeze_gold(tmp_path / name, examples=examples, task=Task(name), source="a test").folder
        for name in ("new", "old", "older")
    ]


def test_questions_on_one_document_are_one_cluster_and_the_losses_are_tested_together(tmp_path, about_documents):
    run = Run(tmp_path / "run")
    was = {name: ["d11"] for name in ("new", "old", "older")}
    now = {"new": ["d9"], "old": ["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d11"], "older": ["d0", "d1", "d2", "d11"]}
    gold, *keep = about_documents
    forgetting(run, before=reader(**was), after=reader(**now), gold=gold, keep=keep)
    documents = [example.slice["document"] for example in read_gold(gold).examples]
    scores = {name: [[float(d not in lost[name]) for d in documents] for lost in (now, was)] for name in was}
    expected = [paired_difference(*pair, clusters=documents) for pair in scores.values()]
    rows = read_jsonl(run.dir / "changes.jsonl")
    assert [(row["low"], row["high"]) for row in rows] == [(of.low, of.high) for of in expected]
    assert [row["p_value"] for row in rows] == [expected[0].p_value, *holm([of.p_value for of in expected[1:]])]
    assert rows[1]["p_value"] == 2 * expected[1].p_value > 0.01  # with independent questions it would be 2 ** -69
    assert run.metrics["score"] == mean_score(scores["new"][0], clusters=documents)


@pytest.mark.parametrize(("keep", "message"), [([], "keep"), ([GOLD / "tickets"], "'tickets'")])
def test_no_gold_set_to_keep_and_one_named_twice_are_refused(keep, message):
    with pytest.raises(SlmkitError, match=message):
        check(before=knowing(), after=knowing(), gold=GOLD / "tickets", keep=keep, limit=None)


def test_a_metric_that_cannot_compare_is_refused_before_any_work(tmp_path):
    keys = {"before": knowing(), "after": knowing(), "gold": GOLD / "tickets", "keep": [GOLD / "reading"]}
    with pytest.raises(SlmkitError, match="macro_f1"):
        check(**keys, metric=lookup.load_part("metrics", "macro_f1"))
    odd = freeze_gold(
        tmp_path / "odd", examples=[Example("1", "?", "a")], task=Task("odd"), source="", extra={"metric": "bleu"}
    )
    with pytest.raises(SlmkitError, match="'bleu'"):
        check(**keys | {"keep": [odd.folder]})
