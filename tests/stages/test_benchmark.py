"""Local tasks of lm-evaluation-harness on the bundled model; a model compared with itself has forgotten nothing."""

import json
import math

import pytest
from project_files import read_jsonl, write

from slmkit.errors import SlmkitError
from slmkit.evaluation import lm_eval
from slmkit.evaluation.lm_eval import Measured
from slmkit.files import PACKAGE
from slmkit.models.load import load_model
from slmkit.models.model_hashes import identity
from slmkit.runs.run_folder import Run
from slmkit.stages import benchmark as stage
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(PACKAGE / "assets" / "nano"))
CHOICES = ["red", "blue", "card lost"]
ANSWERS = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2]  # each choice is right a different number of times
TASK = """
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
output_type: multiple_choice
test_split: test
doc_to_text: "the box is"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""


@pytest.fixture
def folder(tmp_path):
    rows = [{"choices": CHOICES, "answer": answer} for answer in ANSWERS]
    data = write(tmp_path / "tasks" / "colours.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write(tmp_path / "tasks" / "colours.yaml", TASK.replace("DATA", str(data)))
    return tmp_path / "tasks"


@pytest.mark.filterwarnings("ignore")
def test_a_local_task_is_scored_and_the_same_model_has_forgotten_nothing(tmp_path, folder):
    pytest.importorskip("lm_eval")
    keys = {"model": NANO, "tasks": ["colours"], "task_folder": folder, "before": NANO, "max_loss": 0.0}
    stage.check(**keys)
    run = Run(tmp_path / "run")
    stage.benchmark(run, **keys, chat=False, device="cpu")
    [row] = read_jsonl(run.dir / "tasks.jsonl")
    assert (row["task"], row["metric"], row["n"], row["change"]) == ("colours", "acc", 12, 0.0)
    assert row["score"] == ANSWERS.count(best_choice()) / 12
    assert run.verdict_positive
    assert run.metrics["forgotten"] == 0.0
    made_by = read_jsonl(run.dir / "provenance.jsonl")
    same = {"backend": lm_eval.backend(), "chat": False, **identity(load_model(NANO, device="cpu"))}
    assert made_by == [{"system": "nano", **same}, {"system": "nano, before", **same}]
    with pytest.raises(SlmkitError, match="'colors'") as wrong:
        stage.benchmark(run, **keys | {"tasks": ["colors"]}, device="cpu")
    assert "colours" in wrong.value.fix


SET_METRIC = """
task: texts
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - {metric: bits_per_byte}
"""


@pytest.mark.filterwarnings("ignore")
def test_a_metric_of_the_whole_set_has_no_interval_but_counts_against_max_loss(tmp_path):
    pytest.importorskip("lm_eval")
    data = write(
        tmp_path / "tasks" / "texts.jsonl", "".join(json.dumps({"text": f"card {i}"}) + "\n" for i in range(6))
    )
    write(tmp_path / "tasks" / "texts.yaml", SET_METRIC.replace("DATA", str(data)))
    keys = {"model": NANO, "tasks": ["texts"], "task_folder": tmp_path / "tasks", "chat": False, "device": "cpu"}
    run = Run(tmp_path / "run")
    stage.benchmark(run, **keys, before=NANO, max_loss=0.0)
    [row] = read_jsonl(run.dir / "tasks.jsonl")
    assert row == {"task": "texts", "metric": "bits_per_byte", "score": row["score"], "n": 6, "change": 0.0,
                   "higher_is_better": False}  # fmt: skip
    assert row["score"] == run.metrics["texts_bits_per_byte"] > 0
    assert run.verdict_positive
    [note] = read_jsonl(run.dir / "notes.jsonl")
    assert note["text"].startswith("texts bits_per_byte ")


def rows_of(metric, values, filter="none"):
    """The harness's rows, one per document."""
    return [
        {"filter": filter, "metrics": [metric], metric: value, "doc_hash": f"d{i}"} for i, value in enumerate(values)
    ]


def test_scores_whose_mean_is_not_the_harness_value_are_not_kept():
    """For example perplexity, whose documents have log-likelihoods: exp(-(-1 - 3) / 2) = 7.389."""
    [one] = lm_eval._of_task("t", rows_of("perplexity", [-1.0, -3.0]), {"perplexity,none": 7.389}, {}, on_note=print)
    assert (one.value, one.scores) == (7.389, [])


def test_each_filter_of_a_task_gives_its_own_metric():
    rows = [*rows_of("exact_match", [0.0, 1.0], "strict"), *rows_of("exact_match", [1.0, 1.0], "flexible")]
    found = lm_eval._of_task("t", rows, {"exact_match,strict": 0.5, "exact_match,flexible": 1.0}, {}, on_note=print)
    assert [(one.metric, one.scores) for one in found] == [
        ("exact_match,strict", [0.0, 1.0]),
        ("exact_match,flexible", [1.0, 1.0]),
    ]


def test_a_metric_that_is_not_finite_is_noted_and_a_task_without_a_metric_is_refused():
    notes = []
    rows = [row | {"metrics": ["f1", "acc"], "acc": 1.0} for row in rows_of("f1", [(0, 1)])]
    [one] = lm_eval._of_task("t", rows, {"f1,none": math.nan, "acc,none": 1.0}, {"acc": True}, on_note=notes.append)
    [note] = notes
    assert one.metric == "acc" and "t f1" in note and "nan" in note
    with pytest.raises(SlmkitError, match="'t'"):
        lm_eval._of_task("t", rows_of("f1", [(0, 1)]), {"f1,none": math.nan}, {}, on_note=notes.append)


def test_a_metric_that_only_one_model_has_is_refused(tmp_path, monkeypatch):
    """A diverged model has an infinite perplexity; its other metrics must not hide that."""
    pytest.importorskip("lm_eval")
    lost = Measured("t", "perplexity", 7.4, [], ["d0"], False)
    kept = Measured("t", "acc", 1.0, [1.0], ["d0"], True)
    measured = iter([[kept], [kept, lost]])
    monkeypatch.setattr(stage, "run_tasks", lambda *_, **__: next(measured))
    with pytest.raises(SlmkitError, match="t perplexity"):
        stage.benchmark(Run(tmp_path / "run"), model=NANO, tasks=["t"], before=NANO, max_loss=0.1, device="cpu")


@pytest.mark.parametrize("scores", [[1.0] * 6, []])
def test_if_lower_is_better_a_rise_is_a_loss(tmp_path, monkeypatch, scores):
    pytest.importorskip("lm_eval")
    documents = [f"d{i}" for i in range(6)]
    after = Measured("t", "error_rate", 1.0, scores, documents, False)
    before = Measured("t", "error_rate", 0.0, [0.0 for _ in scores], documents, False)
    right = Measured("t", "acc", 1.0, [1.0] * 6, documents, True)
    measured = iter([[right, after], [right, before], [right, before], [right, after]])
    monkeypatch.setattr(stage, "run_tasks", lambda *_, **__: next(measured))
    run = Run(tmp_path / "run")
    stage.benchmark(run, model=NANO, tasks=["t"], before=NANO, max_loss=0.01, device="cpu")
    assert run.metrics["forgotten"] == 1.0
    assert not run.verdict_positive
    assert "+1.000" in run.verdict_text and "t error_rate" in run.verdict_text
    better = Run(tmp_path / "better")
    stage.benchmark(better, model=NANO, tasks=["t"], before=NANO, max_loss=0.01, device="cpu")
    assert better.metrics["forgotten"] == 0.0
    assert better.verdict_positive


def test_a_metric_without_a_direction_is_noted():
    notes = []
    [one] = lm_eval._of_task("t", rows_of("speed", [1.0]), {"speed,none": 1.0}, {"speed": None}, on_note=notes.append)
    assert one.higher_is_better
    [note] = notes
    assert note.startswith("t speed ")


def best_choice():
    """The choice with the highest log-probability after the text, computed with transformers alone."""
    import torch

    loaded = load_model(NANO, device="cpu")
    scores = []
    for choice in CHOICES:
        texts = (f"the box is {choice}", "the box is")
        whole, start = (loaded.tokenizer(text, return_tensors="pt").input_ids[0] for text in texts)
        with torch.inference_mode():
            logs = loaded.model(whole[None]).logits[0, :-1].log_softmax(-1)
        scores.append(sum(logs[i, whole[i + 1]].item() for i in range(len(start) - 1, len(whole) - 1)))
    return scores.index(max(scores))


def test_mistakes_are_found_before_any_work(monkeypatch):
    with pytest.raises(SlmkitError, match="tasks"):
        stage.check(model=NANO, tasks=[])
    with pytest.raises(SlmkitError, match="max_loss"):
        stage.check(model=NANO, tasks=["x"], max_loss=0.1)
    monkeypatch.setattr("slmkit.evaluation.lm_eval.find_spec", lambda name: None)
    with pytest.raises(SlmkitError, match="lm-evaluation-harness"):
        stage.check(model=NANO, tasks=["x"])
