"""Tasks of lm-evaluation-harness on the embedded model, from local files; the same model has forgotten nothing."""

import json

import pytest
from project_files import read_jsonl, write

from slmkit import names
from slmkit.errors import SlmkitError
from slmkit.models.load import load_model
from slmkit.run import Run
from slmkit.stages import benchmark as stage
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(names.PACKAGE / "assets" / "nano"))
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
def test_a_local_task_is_scored_and_nothing_is_forgotten_by_the_same_model(tmp_path, folder):
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
    with pytest.raises(SlmkitError, match="no task 'colors'") as wrong:
        stage.benchmark(run, **keys | {"tasks": ["colors"]}, device="cpu")
    assert wrong.value.fix == "one of colours"


def best_choice():
    """Which choice has the highest log-probability after the text, worked out with transformers alone."""
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


def test_mistakes_are_said_before_any_work(monkeypatch):
    with pytest.raises(SlmkitError, match="no tasks to run"):
        stage.check(model=NANO, tasks=[])
    with pytest.raises(SlmkitError, match="max_loss needs a model"):
        stage.check(model=NANO, tasks=["x"], max_loss=0.1)
    monkeypatch.setattr("slmkit.evidence.harness.find_spec", lambda name: None)
    with pytest.raises(SlmkitError, match="not installed"):
        stage.check(model=NANO, tasks=["x"])
