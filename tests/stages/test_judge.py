"""A judge sees both orders, its failures count, and its bar needs agreement with human labels."""

import json

import pytest
from project_files import read_jsonl
from sklearn.metrics import cohen_kappa_score

from slmkit.errors import RefusedError, SlmkitError
from slmkit.evaluation.judging import Ruling, agreement
from slmkit.files import PACKAGE
from slmkit.recipe import lookup
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages import judge as stage
from slmkit.statistics.intervals import mean_score
from slmkit.types import Answer, ModelRef


class Reading:
    """A judge that prefers the answer equal to the target, and fails on riddles."""

    def __init__(self, task, *, always=None):
        self.task, self.always = task, always

    def answer(self, questions, *, on_answer=None):
        answers = [Answer(q.id, self._reply(q.input)) for q in questions]
        for answer in answers:
            if on_answer:
                on_answer(answer)
        return answers

    def _reply(self, text):
        lines = dict(line.split(": ", 1) for line in text.split("\n"))
        if "riddle" in lines["question"]:
            return "both are, in a way"
        if self.always:
            return self.always
        good = {name.rpartition(" ")[2]: said == lines["right answer"] for name, said in lines.items()
                if name.startswith("answer")}  # fmt: skip
        if len(good) == 1:
            return "right" if good["answer"] else "wrong"
        return "tie" if good["1"] == good["2"] else "1" if good["1"] else "2."


def reading(**arguments):
    return Part("systems", "reading", Reading, arguments)


@pytest.fixture
def answers(tmp_path):
    """40 questions: tuned is right on 30, prompt on 10 of these; the last question is a riddle."""
    rows = []
    for i in range(40):
        question = "a riddle" if i == 39 else f"what is {i}?"
        for system, right in (("tuned", i < 30), ("prompt", i < 10)):
            said = f"it is {i}" if right else "no idea"
            rows.append({"system": system, "example_id": f"g{i}", "input": question, "target": f"it is {i}",
                         "answer": said})  # fmt: skip
    folder = tmp_path / "compared"
    folder.mkdir()
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def by_people(folder, labels):
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps({"id": id, "label": label}) + "\n" for id, label in labels.items()))
    return path


def test_wins_ties_and_failures_are_counted(tmp_path, answers):
    run = Run(tmp_path / "run")
    stage.judge(run, judge=reading(), answers=answers, system="tuned", against="prompt")
    rulings = [row["label"] for row in read_jsonl(run.dir / "rulings.jsonl")]
    assert (rulings.count("tuned"), rulings.count("tie"), rulings.count("failed")) == (20, 19, 1)
    assert run.metrics["score"].value == pytest.approx((20 + 19 / 2) / 40)  # the failure counts as lost
    assert run.metrics["failure_rate"] == 1 / 40
    assert "kappa" not in run.metrics
    assert str(run.metrics["score"]) in run.verdict_text


def test_examples_that_only_one_system_answered_are_counted(tmp_path, answers):
    path = answers / "answers.jsonl"
    rows = read_jsonl(path)

    def keep(is_kept):
        kept = [json.dumps(row) + "\n" for row in rows if is_kept(row["system"], int(row["example_id"][1:]))]
        path.write_text("".join(kept))

    keys = {"judge": reading(), "answers": answers, "system": "tuned", "against": "prompt"}
    keep(lambda system, i: i < 10 if system == "prompt" else i >= 6)
    run = Run(tmp_path / "run")
    stage.judge(run, **keys)
    assert run.metrics["score"].n == 4
    notes = [row["text"] for row in read_jsonl(run.dir / "notes.jsonl")]
    assert any(note.startswith("36 ") for note in notes)  # 6 and 30
    keep(lambda system, i: (system == "prompt") == (i < 10))
    with pytest.raises(SlmkitError, match=r"tuned.*prompt"):
        stage.check(**keys)


@pytest.mark.parametrize("about", [lambda d: {"slice": {"document": d}}, lambda d: {"relevant": [d]}])
def test_answers_about_one_document_are_one_cluster(tmp_path, answers, about):
    path = answers / "answers.jsonl"
    rows = [row | about(f"d{int(row['example_id'][1:]) // 10}") for row in read_jsonl(path)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = Run(tmp_path / "run")
    stage.judge(run, judge=reading(), answers=answers, system="tuned")
    points = [float(i < 30) for i in range(40)]
    assert run.metrics["score"] == mean_score(points, clusters=[f"d{i // 10}" for i in range(40)])
    assert run.metrics["score"].low < mean_score(points).low


def test_a_judge_with_a_position_bias_ties_everything(tmp_path, answers):
    run = Run(tmp_path / "run")
    stage.judge(run, judge=reading(always="1"), answers=answers, system="tuned", against="prompt")
    assert run.metrics["score"].value == pytest.approx(0.5 * 39 / 40)
    assert run.metrics["swayed_rate"] == 39 / 40


def test_a_bar_counts_after_thirty_labels_that_agree(tmp_path, answers):
    people = by_people(tmp_path, {f"g{i}": "right" if i < 30 else "wrong" for i in range(39)})
    keys = {"judge": reading(), "answers": answers, "system": "tuned", "labels": people}
    stage.check(**keys, bar=0.7)
    run = Run(tmp_path / "run")
    stage.judge(run, **keys, bar=0.7)
    assert run.verdict_positive
    assert run.metrics["kappa"].value == 1.0
    assert run.metrics["kappa"].n == 39
    worse = Run(tmp_path / "worse")
    stage.judge(worse, **keys, bar=0.8)
    assert not worse.verdict_positive


def test_a_bar_is_refused_with_too_few_labels_or_too_little_agreement(tmp_path, answers):
    few = by_people(tmp_path, {f"g{i}": "right" for i in range(29)})
    keys = {"judge": reading(), "answers": answers, "system": "tuned"}
    with pytest.raises(RefusedError, match=r"30 .*\b29\b"):
        stage.check(**keys, labels=few, bar=0.5)
    with pytest.raises(RefusedError, match=r"30 .*\b0\b"):
        stage.check(**keys, bar=0.5)
    stage.check(**keys)  # without a bar it only reports
    against = by_people(tmp_path, {f"g{i}": "wrong" if i % 2 else "right" for i in range(39)})
    with pytest.raises(RefusedError, match="kappa"):
        stage.judge(Run(tmp_path / "run"), **keys, labels=against, bar=0.5)


def test_kappa_equals_sklearn_and_its_closed_form():
    replies = ["right", "wrong", "right", "right", "wrong", "failed"] * 6
    people = ["right", "wrong", "wrong", "right", "wrong", "right"] * 6
    rulings = [Ruling(str(i), label) for i, label in enumerate(replies)]
    found = agreement(rulings, {str(i): label for i, label in enumerate(people)})
    observed = 4 / 6  # of each six: four agree
    by_chance = (3 * 3 + 2 * 3 + 1 * 0) / 36  # right, wrong, failed
    assert found.kappa == pytest.approx((observed - by_chance) / (1 - by_chance), abs=1e-12)
    assert found.kappa == pytest.approx(cohen_kappa_score(replies, people), abs=1e-12)
    assert found.low < found.kappa < found.high
    alike = agreement([Ruling("a", "right")] * 3, {"a": "right"})
    assert (alike.kappa, alike.low) == (0.0, -1.0)


def test_mistakes_are_found_before_any_work(tmp_path, answers):
    keys = {"judge": reading(), "answers": answers}
    with pytest.raises(SlmkitError, match="'tuend'") as wrong:
        stage.check(**keys, system="tuend")
    assert wrong.value.fix == "use one of tuned, prompt"
    with pytest.raises(SlmkitError, match="'tuned'"):
        stage.check(**keys, system="tuned", against="tuned")
    odd = by_people(tmp_path, {"g1": "good"})
    with pytest.raises(SlmkitError, match="'good'") as wrong:
        stage.check(**keys, system="tuned", labels=odd)
    assert wrong.value.where == f"{odd}:1"


def test_the_bundled_model_judges_in_the_words_allowed(tmp_path, answers):
    nano = ModelRef("nano", str(PACKAGE / "assets" / "nano"))
    function = lookup.load_part("systems", "prompt")
    run = Run(tmp_path / "run")
    judge = Part("systems", "prompt", function, {"model": nano, "device": "cpu"})
    arms = [{"system": name, "weights": f"hash of {name}"} for name in ("prompt", "tuned", "other")]
    (answers / "provenance.jsonl").write_text("".join(json.dumps(row) + "\n" for row in arms))
    stage.judge(run, judge=judge, answers=answers, system="tuned", against="prompt", limit=3)
    assert run.metrics["failure_rate"] == 0.0
    assert len(read_jsonl(run.dir / "rulings.jsonl")) == 3
    judge_row, *judged = read_jsonl(run.dir / "provenance.jsonl")
    assert (judge_row["system"], judge_row["model"], judge_row["decoding"]) == ("judge", "nano", "labels")
    assert judged == arms[:2]
