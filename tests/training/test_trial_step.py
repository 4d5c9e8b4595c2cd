"""One step is tried before the first, on the longest rows: no trace of it is left, and what to do is told."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from project_files import call, read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import FailedError
from slmkit.models.lora import Lora
from slmkit.runs.run import Run
from slmkit.stages import reward
from slmkit.stages.distill import distill
from slmkit.stages.dpo import dpo
from slmkit.stages.grpo import grpo
from slmkit.stages.kto import kto
from slmkit.stages.orpo import orpo
from slmkit.training import prepare_preference, prepare_prompts, trainer
from slmkit.training import trial_step as trying
from slmkit.types import Answer, Example, ModelRef

pytestmark = pytest.mark.usefixtures("libraries")

ASSETS = Path(slmkit.__file__).parent / "assets"
NANO, OTHER = (ModelRef(name, str(ASSETS / name)) for name in ("nano", "nano-base"))
LONG = "which cup is in the box? " * 12  # over 60 tokens


def vowels(example: Example, answer: Answer) -> float:
    """A reward that differs from answer to answer even for an untrained model, and draws random numbers of its own."""
    drawn = random.random() + np.random.random()
    return sum(letter in "aeiou" for letter in answer.text) / max(1, len(answer.text)) + drawn / 16


ANSWERING = {"max_new_tokens": 16, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
METHODS = {
    "dpo": (dpo, prepare_preference, {}),
    "kto": (kto, prepare_preference, {}),
    "orpo": (orpo, prepare_preference, {}),
    "reward": (reward.reward, reward, {}),
    "grpo": (grpo, prepare_prompts, {"rewards": [vowels], "num_generations": 4, **ANSWERING}),
    "distill": (distill, prepare_prompts, {"teacher": OTHER, **ANSWERING}),
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)


def write(folder: Path, method: str, *, long_in: str = "train") -> Path:
    """Rows for a method, the twelfth of one file much longer than the others."""
    folder.mkdir()
    answers = method in ("grpo", "distill")
    for name in ("train",) if answers else ("train", "validation"):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for i in range(16):
                asked = LONG if i == 11 and name == long_in else f"which cup is in box {i}?"
                turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": "red"}]
                pair = {"prompt": asked, "chosen": "red", "rejected": "blue"}
                file.write(json.dumps({"messages": turns} if answers else pair) + "\n")
    return folder


def no_memory_from(monkeypatch, module, tokens: int, *, training: bool = True) -> None:
    """Memory runs out where a row is of so many tokens."""
    plain = module.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)

        def look(embedding, given):
            if given[0].shape[-1] >= tokens and embedding.training == training:
                raise torch.OutOfMemoryError("planted")

        model.get_input_embeddings().register_forward_pre_hook(look)
        return model

    monkeypatch.setattr(module, "attach", attach)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_tried_before_the_first_changes_nothing(tmp_path, monkeypatch, method):
    stage, _, keys = METHODS[method]
    data, told = write(tmp_path / "data", method), {}
    for name, attempt in (("with", trainer.try_step), ("without", lambda *given: None)):
        # The real trial, then none: what is compared is the training after it, which is real both times.
        monkeypatch.setattr(trainer, "try_step", attempt)
        run = Run(tmp_path / name)
        keys = {"max_steps": 3, "learning_rate": 1e-3, "lora": Lora(lora_dropout=0.1), "device": "cpu", **keys}
        call(stage, run, data=data, model=NANO, **keys)
        log = [
            {key: value for key, value in row.items() if key != "seconds"} for row in read_jsonl(run.path("log.jsonl"))
        ]
        told[name] = log, (run.dir / "model" / "adapter_model.safetensors").read_bytes()
    assert told["with"] == told["without"]


@pytest.mark.parametrize("method", METHODS)
def test_rows_too_long_for_memory_are_told_before_the_first_step(tmp_path, monkeypatch, method):
    stage, module, keys = METHODS[method]
    no_memory_from(monkeypatch, module, 60)
    data = write(tmp_path / "data", method)
    with pytest.raises(FailedError, match="memory while trying a step with the longest rows, at step 1") as error:
        call(stage, Run(tmp_path / "run"), data=data, model=NANO, max_steps=1, device="cpu", **keys)
    shorter = "a smaller max_new_tokens" if method in ("grpo", "distill") else "a smaller max_length"
    assert "per_device_train_batch_size: " in error.value.fix
    assert error.value.fix.endswith(shorter)


@pytest.mark.parametrize("method", ["grpo", "distill"])
def test_answers_of_the_greatest_length_are_tried(tmp_path, monkeypatch, method):
    stage, module, keys = METHODS[method]
    no_memory_from(monkeypatch, module, 110)
    data, keys = write(tmp_path / "data", method, long_in="none"), keys | {"max_new_tokens": 100}
    with pytest.raises(FailedError, match="memory while trying a step"):
        call(stage, Run(tmp_path), data=data, model=NANO, max_steps=1, device="cpu", **keys)


def test_memory_that_runs_out_in_an_evaluation_is_told_as_such(tmp_path, monkeypatch):
    no_memory_from(monkeypatch, prepare_preference, 60, training=False)
    data = write(tmp_path / "data", "dpo", long_in="validation")
    with pytest.raises(FailedError, match="out of memory while evaluating, at step 1"):
        call(dpo, Run(tmp_path / "run"), data=data, model=NANO, max_steps=1, device="cpu")


@pytest.mark.parametrize("method", ["grpo", "distill"])
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_what_is_tried_is_a_micro_batch_not_all_the_rows_of_a_step(tmp_path, monkeypatch, method, adapter):
    stage, _, keys = METHODS[method]
    seen, plain = [], trying.forward_and_backward

    def look(trainer, batch, **given):
        seen.append(len(next(value for value in batch.values() if isinstance(value, torch.Tensor))))
        plain(trainer, batch, **given)

    monkeypatch.setattr(trying, "forward_and_backward", look)
    data = write(tmp_path / "data", method)
    call(stage, Run(tmp_path / "run"), data=data, model=NANO, adapter=adapter, max_steps=1, device="cpu", **keys)
    assert seen == [4]
