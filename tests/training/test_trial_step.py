"""The trial step runs the longest rows before the first step, changes nothing, and reports what does not fit."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from project_files import call, read_jsonl

from slmkit.console import console
from slmkit.errors import FailedError
from slmkit.models.lora import Lora
from slmkit.runs.run_folder import Run
from slmkit.stages.distill import distill
from slmkit.stages.dpo import dpo
from slmkit.stages.grpo import grpo
from slmkit.stages.kto import kto
from slmkit.stages.orpo import orpo
from slmkit.stages.reward import reward
from slmkit.training import prepare_model, trainer
from slmkit.training import trial_step as trial_step_module
from slmkit.types import Answer, Example

pytestmark = pytest.mark.usefixtures("libraries")

LONG = "which cup is in the box? " * 12  # over 60 tokens


def vowels(example: Example, answer: Answer) -> float:
    """A reward that differs between the answers of an untrained model, and draws random numbers."""
    drawn = random.random() + np.random.random()
    return sum(letter in "aeiou" for letter in answer.text) / max(1, len(answer.text)) + drawn / 16


GENERATING = ("grpo", "distill")
ANSWERING = {"max_new_tokens": 16, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
METHODS = {
    "dpo": (dpo, {}),
    "kto": (kto, {}),
    "orpo": (orpo, {}),
    "reward": (reward, {}),
    "grpo": (grpo, {"rewards": [vowels], "num_generations": 4, **ANSWERING}),
    "distill": (distill, ANSWERING),
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)


@pytest.fixture
def methods(cut_models):
    """Each method with all keys that it needs, except the data."""
    model = {"model": cut_models["one_layer"], "device": "cpu"}
    found = {name: (stage, keys | model) for name, (stage, keys) in METHODS.items()}
    found["distill"][1]["teacher"] = cut_models["two_layers"]
    return found


def write(folder: Path, method: str, *, long_in: str = "train") -> Path:
    """Rows for a method; the twelfth of one file is much longer than the others."""
    folder.mkdir()
    answers = method in GENERATING
    for name in ("train",) if answers else ("train", "validation"):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for i in range(16):
                asked = LONG if i == 11 and name == long_in else f"which cup is in box {i}?"
                turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": "red"}]
                pair = {"prompt": asked, "chosen": "red", "rejected": "blue"}
                file.write(json.dumps({"messages": turns} if answers else pair) + "\n")
    return folder


def no_memory_from(monkeypatch, tokens: int, *, training: bool = True) -> None:
    """Memory runs out when a row has this many tokens."""
    plain = prepare_model.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)

        def look(embedding, args):
            if args[0].shape[-1] >= tokens and embedding.training == training:
                raise torch.OutOfMemoryError("planted")

        model.get_input_embeddings().register_forward_pre_hook(look)
        return model

    monkeypatch.setattr(prepare_model, "attach", attach)


@pytest.mark.parametrize(
    "method", ["dpo", *(pytest.param(name, marks=pytest.mark.long) for name in METHODS if name != "dpo")]
)
def test_the_trial_step_changes_nothing_and_is_one_micro_batch(tmp_path, monkeypatch, methods, method):
    stage, keys = methods[method]
    data, results = write(tmp_path / "data", method), {}
    sizes = trial_sizes(monkeypatch)
    for name, trial in (("with", trainer.trial_step), ("without", lambda *args: None)):
        # First the real trial step, then none: the training that is compared is real both times.
        monkeypatch.setattr(trainer, "trial_step", trial)
        run = Run(tmp_path / name)
        keys = {"max_steps": 2, "learning_rate": 1e-3, "lora": Lora(lora_dropout=0.1), **keys}
        call(stage, run, data=data, **keys)
        log = [
            {key: value for key, value in row.items() if key != "seconds"} for row in read_jsonl(run.path("log.jsonl"))
        ]
        results[name] = log, (run.dir / "model" / "adapter_model.safetensors").read_bytes()
    assert results["with"] == results["without"]
    assert len(sizes) == 1
    if method in GENERATING:
        assert sizes == [4]  # of the 8 answers of a step


@pytest.mark.parametrize("method", GENERATING)
def test_the_trial_step_is_one_micro_batch_with_all_weights_too(tmp_path, monkeypatch, methods, method):
    stage, keys = methods[method]
    sizes = trial_sizes(monkeypatch)
    data = write(tmp_path / "data", method)
    call(stage, Run(tmp_path / "run"), data=data, adapter="full", max_steps=1, **keys)
    assert sizes == [4]


@pytest.mark.parametrize("method", METHODS)
def test_rows_too_long_for_memory_are_reported_before_the_first_step(tmp_path, monkeypatch, methods, method):
    stage, keys = methods[method]
    no_memory_from(monkeypatch, 60)
    data = write(tmp_path / "data", method)
    with pytest.raises(FailedError, match=r"step 1\b") as error:
        call(stage, Run(tmp_path / "run"), data=data, max_steps=1, **keys)
    assert "per_device_train_batch_size: " in error.value.fix
    assert error.value.fix.endswith("max_new_tokens" if method in GENERATING else "max_length")
    assert not any("loss" in row for row in log_rows(tmp_path / "run"))


@pytest.mark.parametrize("method", GENERATING)
def test_answers_of_the_greatest_length_are_tested(tmp_path, monkeypatch, methods, method):
    stage, keys = methods[method]
    no_memory_from(monkeypatch, 110)
    data, keys = write(tmp_path / "data", method, long_in="none"), keys | {"max_new_tokens": 100}
    with pytest.raises(FailedError, match=r"step 1\b"):
        call(stage, Run(tmp_path / "run"), data=data, max_steps=1, **keys)
    assert not any("loss" in row for row in log_rows(tmp_path / "run"))


def test_memory_that_runs_out_in_an_evaluation_is_reported_as_such(tmp_path, monkeypatch, methods):
    no_memory_from(monkeypatch, 60, training=False)
    data = write(tmp_path / "data", "dpo", long_in="validation")
    with pytest.raises(FailedError, match=r"evaluating.* 1\b"):
        call(dpo, Run(tmp_path / "run"), data=data, max_steps=1, **methods["dpo"][1])


def trial_sizes(monkeypatch) -> list[int]:
    """The number of rows of every trial step, filled in as they run."""
    sizes, plain = [], trial_step_module.forward_and_backward

    def forward_and_backward(trainer, batch, **kwargs):
        sizes.append(len(next(value for value in batch.values() if isinstance(value, torch.Tensor))))
        plain(trainer, batch, **kwargs)

    monkeypatch.setattr(trial_step_module, "forward_and_backward", forward_and_backward)
    return sizes


def log_rows(run: Path) -> list[dict[str, float]]:
    return read_jsonl(run / "log.jsonl") if (run / "log.jsonl").exists() else []
