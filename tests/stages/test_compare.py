"""A comparison end to end on the bundled model: tables, figures, verdict, resuming after a kill, refusals."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import read_jsonl

from slmkit.errors import FailedError, RefusedError, SlmkitError
from slmkit.files import PACKAGE
from slmkit.gold.freeze import freeze_gold
from slmkit.gold.gold_set import read_gold
from slmkit.recipe import lookup
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages import compare as stage
from slmkit.stages import eval as eval_stage
from slmkit.types import Example, ModelRef, Score, Task

TOPICS = {"card lost": ["card", "street", "stolen", "gone"], "top up": ["money", "cash", "account", "pending"]}


@pytest.fixture
def nano() -> ModelRef:
    import torch

    torch.set_num_threads(1)
    return ModelRef("nano", str(PACKAGE / "assets" / "nano"))


@pytest.fixture
def gold(tmp_path):
    draw = random.Random(0)
    examples = [
        Example(
            f"g{i}", f"the {draw.choice(words)} is by the {draw.choice(words)} {i}", label, slice={"half": str(i % 2)}
        )
        for i in range(30)
        for label, words in [draw.choice(list(TOPICS.items()))]
    ]
    task = Task("bank", "classification", "say what it is about.", tuple(TOPICS))
    freeze_gold(tmp_path / "gold" / "bank", examples=examples, task=task, source="made by this test")
    return tmp_path / "gold" / "bank"


@pytest.fixture
def prepared(tmp_path):
    folder = tmp_path / "prepared"
    folder.mkdir()
    chats = [
        {"messages": [{"role": "user", "content": f"my {word} {i}"}, {"role": "assistant", "content": label}]}
        for i in range(6)
        for label, words in TOPICS.items()
        for word in words
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    return folder


def part(name, **arguments):
    function = lookup.load_part("systems", name)
    return Part("systems", name, function, arguments)


@pytest.fixture
def systems(nano, prepared):
    return {
        "majority": part("majority", train=prepared),
        "prompt": part("prompt", model=nano, max_new_tokens=4, device="cpu"),
        "svm": part("linear_svm", train=prepared),
    }


def test_all_systems_answer_the_same_items_and_the_best_is_chosen(tmp_path, systems, gold):
    run = Run(tmp_path / "run")
    stage.compare(run, systems=systems, gold=gold)
    arms = {row["system"]: row for row in read_jsonl(run.dir / "arms.jsonl")}
    assert list(arms) == ["majority", "prompt", "svm"]
    assert arms["svm"]["score"] == 1.0
    assert arms["svm"]["reference"] == "prompt"
    assert "difference" not in arms["prompt"]
    assert arms["svm"]["difference_low"] > 0
    assert arms["svm"]["p_value"] < 0.001
    answers = read_jsonl(run.dir / "answers.jsonl")
    assert len(answers) == 90
    assert {row["system"] for row in answers} == set(systems)
    assert [row["example_id"] for row in answers[:30]] == [row["example_id"] for row in answers[60:]]
    assert [name for name, row in arms.items() if row["chosen"]] == ["svm"]
    assert "svm" in run.verdict_text and "1.000 (n=30)" in run.verdict_text
    assert isinstance(run.metrics["svm"], Score)
    assert (run.dir / "figures" / "arms.svg").exists()
    assert (run.dir / "figures" / "score_against_cost.svg").exists()


def test_a_system_that_answers_nothing_is_not_compared_and_the_verdict_says_why(tmp_path, systems, gold, nano):
    run = Run(tmp_path / "run")
    mute = part("prompt", model=nano, max_new_tokens=4000, decoding="greedy", device="cpu")
    stage.compare(run, systems={"mute": mute, **systems}, gold=gold, limit=4, reference="mute")
    assert [row["system"] for row in read_jsonl(run.dir / "arms.jsonl")] == ["majority", "prompt", "svm"]
    assert "mute" not in run.metrics
    assert run.verdict_text.startswith("Not compared: mute answered none of 4 questions: prompt of ")
    notes = [row["text"] for row in read_jsonl(run.dir / "notes.jsonl")]
    assert any("lower max_new_tokens" in note and "mute" in note for note in notes)
    assert any("the reference mute" in note for note in notes)


def test_a_comparison_in_which_no_system_answers_anything_is_an_error(tmp_path, gold, nano):
    mute = part("prompt", model=nano, max_new_tokens=4000, decoding="greedy", device="cpu")
    with pytest.raises(FailedError, match=r"mute answered none of 4 questions: .*exceed the context") as caught:
        stage.compare(Run(tmp_path / "run"), systems={"mute": mute}, gold=gold, limit=4)
    assert "max_new_tokens" in caught.value.fix


def test_an_interrupted_comparison_resumes_without_asking_twice(tmp_path, systems, gold, monkeypatch):
    whole = Run(tmp_path / "whole")
    stage.compare(whole, systems=systems, gold=gold)
    run = Run(tmp_path / "run")
    lines = (whole.dir / "answered.jsonl").read_text(encoding="utf-8").split("\n")
    (run.dir / "answered.jsonl").write_text("\n".join(lines[:50]) + '\n{"system": "pro', encoding="utf-8")
    stage.compare(run, systems=systems, gold=gold)
    rows = [row for row in read_jsonl(run.dir / "answered.jsonl") if "example_id" in row]
    assert len({(row["system"], row["example_id"]) for row in rows}) == len(rows) == 90
    assert run.verdict_text == whole.verdict_text


def test_a_system_that_cannot_do_the_task_is_left_out_with_the_reason(tmp_path, nano, prepared):
    examples = [Example(f"g{i}", f"who is {i}?", f"it is {i}") for i in range(20)]
    freeze_gold(tmp_path / "gold" / "free", examples=examples, task=Task("free"), source="made by this test")
    run = Run(tmp_path / "run")
    systems = {"svm": part("linear_svm", train=prepared), "prompt": part("prompt", model=nano, max_new_tokens=2)}
    stage.check(systems=systems, gold=tmp_path / "gold" / "free", limit=None, reference=None)
    stage.compare(run, systems=systems, gold=tmp_path / "gold" / "free")
    assert any(note.startswith("svm does not apply: ") for note in notes(run))
    assert [row["system"] for row in read_jsonl(run.dir / "arms.jsonl")] == ["prompt"]


def test_the_cost_of_training_is_spread_over_the_answers(tmp_path, nano, gold):
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "model").symlink_to(nano.path)
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "result.json").write_text('{"seconds": 4000.0, "metrics": {"train_seconds": 3600.0}}')
    (trained / "result.json").write_text('{"seconds": 5.0}')  # a merge, which reads the adapter
    inputs = [{"kind": "recipe", "dir": str(tmp_path / "adapter")}, {"kind": "file", "name": "x.csv"}]
    (trained / "recipe.json").write_text(json.dumps({"inputs": inputs}))
    systems = {
        "prompt": part("prompt", model=nano, max_new_tokens=2),
        "tuned": part("prompt", model=ModelRef("loop/train", str(trained)), max_new_tokens=2),
    }
    run = Run(tmp_path / "run")
    stage.compare(run, systems=systems, gold=gold, limit=20, price_per_hour=2.0, answers_per_training=10_000)
    arms = {row["system"]: row for row in read_jsonl(run.dir / "arms.jsonl")}
    assert arms["tuned"]["train_seconds"] == 3600.0
    answering = 1000 * arms["tuned"]["seconds_per_answer"] / 3600 * 2.0
    assert arms["tuned"]["cost_per_1000"] == pytest.approx(answering + 0.2)  # a tenth of an hour's 2.0
    assert arms["prompt"]["train_seconds"] == 0.0
    assert arms["tuned"]["reference"] == "prompt"
    assert any("tuned" in note and "prompt" in note and "100%" in note for note in notes(run))
    by_system = {row["system"]: row for row in read_jsonl(run.dir / "provenance.jsonl")}
    assert by_system["tuned"]["template"] == by_system["prompt"]["template"]
    assert by_system["tuned"]["weights"] == by_system["prompt"]["weights"]
    assert by_system["tuned"]["decoding"] == "labels"


def test_a_bar_that_is_not_reached_gives_a_negative_verdict(tmp_path, systems, gold):
    run = Run(tmp_path / "run")
    stage.compare(run, systems={"majority": systems["majority"]}, gold=gold, bar=0.99)
    assert not run.verdict_positive
    run = Run(tmp_path / "again")
    stage.compare(run, systems=systems, gold=gold, bar=0.99)
    assert run.verdict_positive


def test_a_changed_gold_set_is_refused_before_any_work(systems, gold):
    with open(gold / "examples.jsonl", "a") as file:
        file.write('{"id": "new", "input": "?", "target": "top up"}\n')
    with pytest.raises(RefusedError, match=re.escape(str(gold))):
        stage.check(systems=systems, gold=gold, limit=None, reference=None)


def test_mistakes_are_found_before_any_work(systems, gold, nano):
    with pytest.raises(SlmkitError, match="systems"):
        stage.check(systems={}, gold=gold, limit=None, reference=None)
    with pytest.raises(SlmkitError, match="'promt'"):
        stage.check(systems=systems, gold=gold, limit=None, reference="promt")
    again = {"reference": "prompt again", "repeats": {"prompt again": "prompt"}}
    with pytest.raises(SlmkitError, match="'prompt again'"):
        stage.check(systems={**systems, "prompt again": systems["prompt"]}, gold=gold, limit=None, **again)
    few = {"few": part("prompt", model=nano, num_shots=3)}
    with pytest.raises(SlmkitError, match="examples"):
        stage.check(systems=few, gold=gold, limit=None, reference=None)


def test_a_system_that_learns_from_gold_questions_is_refused(tmp_path, prepared, gold):
    leaking = tmp_path / "leaking.jsonl"
    row = {"messages": [{"role": "user", "content": "Question 0"}, {"role": "assistant", "content": "top up"}]}
    asked = read_gold(gold).examples[3].input
    row["messages"][0]["content"] = f" {asked.upper()}!"
    leaking.write_text((prepared / "train.jsonl").read_text() + json.dumps(row) + "\n")
    svm = part("linear_svm", train=leaking)
    for refused in (
        lambda: stage.check(systems={"svm": svm}, gold=gold),
        lambda: stage.compare(Run(tmp_path / "run"), systems={"svm": svm}, gold=gold),
        lambda: eval_stage.check(system=svm, gold=gold),
    ):
        with pytest.raises(RefusedError, match=r"1 row .*'.*svm'") as error:
            refused()
        assert error.value.where == f"{leaking}:{len(leaking.read_text().splitlines())}"
    assert not (tmp_path / "run" / "answered.jsonl").exists()


def test_eval_scores_one_system_with_its_slices_and_bar(tmp_path, systems, gold):
    run = Run(tmp_path / "run")
    eval_stage.eval(run, system=systems["svm"], gold=gold, bar=0.9)
    assert run.metrics["score"].value == 1.0
    assert run.metrics["parse_rate"] == 1.0
    assert "linear_svm" in run.verdict_text and "1.000" in run.verdict_text
    assert [row["slice"] for row in read_jsonl(run.dir / "slices.jsonl")] == ["half=0", "half=1"]
    worse = Run(tmp_path / "worse")
    eval_stage.eval(worse, system=systems["prompt"], gold=gold, limit=12, bar=0.9)
    assert not worse.verdict_positive
    assert "0.9" in worse.verdict_text
    assert len(read_jsonl(worse.dir / "answers.jsonl")) == 12


def test_retrieval_is_scored_beside_the_answers(tmp_path, nano):
    words = ["oak", "elm", "fir", "ash", "yew", "box", "bay", "fig", "may", "tea"] * 2
    examples = [
        Example(f"g{i}", f"where is the {word} {i}?", "here", relevant=(word,)) for i, word in enumerate(words)
    ]
    freeze_gold(tmp_path / "gold" / "trees", examples=examples, task=Task("trees"), source="made by this test")
    passages = [{"id": word, "text": f"the {word} is here."} for word in dict.fromkeys(words)]
    (tmp_path / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in passages))
    documents = tmp_path / "documents.jsonl"
    retriever = Part("retrievers", "bm25", lookup.load_part("retrievers", "bm25"), {})
    systems = {
        "prompt": part("prompt", model=nano, max_new_tokens=2),
        "rag": part("rag", model=nano, documents=documents, retriever=retriever, top_k=1, max_new_tokens=2),
    }
    run = Run(tmp_path / "run")
    stage.compare(run, systems=systems, gold=tmp_path / "gold" / "trees")
    arms = {row["system"]: row for row in read_jsonl(run.dir / "arms.jsonl")}
    assert (arms["rag"]["recall"], arms["rag"]["mrr"], arms["rag"]["ndcg"]) == (1.0, 1.0, 1.0)
    assert "recall" not in arms["prompt"]


def test_a_ladder_stops_at_the_first_system_that_reaches_the_bar(tmp_path, systems, gold):
    stage.check(systems=systems, gold=gold, bar=0.9, ladder=True)
    order = {name: systems[name] for name in ("majority", "svm", "prompt")}
    run = Run(tmp_path / "run")
    stage.compare(run, systems=order, gold=gold, bar=0.9, ladder=True)
    assert [row["system"] for row in read_jsonl(run.dir / "arms.jsonl")] == ["majority", "svm"]
    assert run.verdict_positive
    assert "svm" in run.verdict_text
    assert any(note.startswith("svm ") and "0.9" in note and note.endswith(" prompt") for note in notes(run))
    with pytest.raises(SlmkitError, match="ladder"):
        stage.check(systems=systems, gold=gold, ladder=True)


def test_a_repeat_run_is_not_compared_and_sets_the_noise_floor(tmp_path, systems, gold, prepared, nano):
    few = {"model": nano, "num_shots": 2, "shots": "random", "examples": prepared, "device": "cpu"}
    systems = systems | {"few": part("prompt", **few, seed=0), "few again": part("prompt", **few, seed=1)}
    run = Run(tmp_path / "run")
    stage.compare(run, systems=systems, gold=gold, repeats={"few again": "few"})
    assert "few again" not in {row["system"] for row in read_jsonl(run.dir / "arms.jsonl")}
    [row] = read_jsonl(run.dir / "repeats.jsonl")
    assert (row["system"], row["repeats"], row["n"]) == ("few again", "few", 30)
    assert run.metrics["noise_floor"] == abs(row["value"])
    for wrong, value in (({"few again": "fw"}, "'fw'"), ({"few": "few"}, "'few'")):
        with pytest.raises(SlmkitError, match=value):
            stage.check(systems=systems, gold=gold, repeats=wrong)


def test_peak_memory_is_measured_while_a_system_answers(tmp_path, systems, gold):
    run = Run(tmp_path / "run")
    stage.compare(run, systems=systems, gold=gold, limit=10)
    peaks = {row["system"]: row["peak_memory_bytes"] for row in read_jsonl(run.dir / "arms.jsonl")}
    assert all(peak > 50 * 2**20 for peak in peaks.values())
    stage.compare(run, systems=systems, gold=gold, limit=10)  # nothing is asked: the measured values stay
    assert {row["system"]: row["peak_memory_bytes"] for row in read_jsonl(run.dir / "arms.jsonl")} == peaks


def test_systems_with_different_decoding_are_noted(tmp_path, nano, gold):
    systems = {
        "labels": part("prompt", model=nano, device="cpu"),
        "free": part("prompt", model=nano, decoding="greedy", max_new_tokens=2, device="cpu"),
    }
    run = Run(tmp_path / "run")
    stage.compare(run, systems=systems, gold=gold, limit=10)
    assert any("decoding (labels: labels; greedy, up to 2 tokens: free)" in note for note in notes(run))


def notes(run):
    return [row["text"] for row in read_jsonl(run.dir / "notes.jsonl")]


@pytest.mark.slow
def test_a_comparison_killed_at_three_moments_reaches_the_same_verdict(tmp_path):
    driver = Path(__file__).with_name("compare_driver.py")
    done = subprocess.run(
        [sys.executable, str(driver), str(tmp_path)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    whole = {(row["system"], row["example_id"]): row["answer"] for row in read_jsonl(tmp_path / "whole/answers.jsonl")}
    for moment in ("some answers", "before setup", "half a line"):
        rows = [row for row in read_jsonl(tmp_path / moment / "answered.jsonl") if "example_id" in row]
        assert len({(row["system"], row["example_id"]) for row in rows}) == len(rows) == 90, moment
        again = read_jsonl(tmp_path / moment / "answers.jsonl")
        assert {(row["system"], row["example_id"]): row["answer"] for row in again} == whole, moment
        assert (tmp_path / moment / "verdict.txt").read_text() == (tmp_path / "whole/verdict.txt").read_text()
        about = {row["system"]: row for row in read_jsonl(tmp_path / moment / "provenance.jsonl")}
        chosen = about["best prompt"]["prompt"]
        assert " 2 prompts " in chosen and " 20 answers" in chosen, moment


def test_a_resumed_progress_bar_starts_where_the_last_session_ended(tmp_path, systems, gold, monkeypatch):
    run, seen = Run(tmp_path / "run"), {}
    progress = run.progress
    monkeypatch.setattr(run, "progress", lambda *words, done=0: seen.update({words[0]: (done, words[1])}) or
                        progress(*words, done=done))  # fmt: skip
    stage.compare(run, systems={"svm": systems["svm"]}, gold=gold, limit=12)
    assert seen == {"answer svm": (0, 12)}
    stage.compare(run, systems={"svm": systems["svm"]}, gold=gold, limit=30)
    assert seen == {"answer svm": (12, 30)}
