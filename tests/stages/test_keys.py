"""Every key of every training stage changes something: the arguments of TRL's trainer, the model, a note or an error.

Nothing is trained: each stage runs up to the creation of its trainer, once as it is and once with one key changed. A
new key needs a value in CHANGED. A key that nothing reads changes nothing, which fails the test.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from project_files import REPOSITORY

from slmkit.console import console
from slmkit.errors import SlmkitError
from slmkit.gold.gold_set import read_gold
from slmkit.models.lora import Lora
from slmkit.recipe.signature import call_arguments, parameters
from slmkit.runs.run_folder import Run
from slmkit.training import sft_trainer
from slmkit.training.config import Training
from slmkit.types import Answer, Example, ModelRef

pytestmark = pytest.mark.usefixtures("libraries")

ONE_LAYER, TWO_LAYERS = (ModelRef(name, "") for name in ("one_layer", "two_layers"))  # `reach` knows their folders
METHODS = ("sft", "dpo", "kto", "orpo", "reward", "grpo", "distill")


def reward_one(example: Example, answer: Answer) -> float:
    return 1.0


def reward_two(example: Example, answer: Answer) -> float:
    return 0.0


CHANGED: dict[str, Any] = {
    "model": TWO_LAYERS,
    "replay_ratio": 0.5,
    "learning_rate": 0.123,
    "num_train_epochs": 7.0,
    "max_steps": 5,
    "per_device_train_batch_size": 32,
    "gradient_accumulation_steps": 2,
    "max_length": 4,
    "lr_scheduler_type": "cosine",
    "warmup_ratio": 0.5,
    "weight_decay": 0.1,
    "max_grad_norm": 0.5,
    "gradient_checkpointing": True,
    "load_in_4bit": True,
    "device": "cuda",
    "dtype": "bfloat16",
    "attn_implementation": "eager",
    "adapter": "full",
    "load_best_model_at_end": True,
    "metric_for_best_model": "accuracy",
    "early_stopping_patience": 2,
    "report_to": "wandb",
    "allow_gold": True,
    "backend": "unsloth",
    "packing": True,
    "on_overflow": "drop",
    "beta": 0.5,
    "loss_type": "ipo",
    "label_smoothing": 0.1,
    "desirable_weight": 2.0,
    "undesirable_weight": 2.0,
    "rewards": [reward_two],
    "reward_weights": [0.5],
    "num_generations": 4,
    "max_new_tokens": 9,
    "temperature": 0.7,
    "teacher": ONE_LAYER,
}
CHANGED_LORA = {
    "r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": ["q_proj"], "modules_to_save": ["norm"],
}  # fmt: skip
REQUIRES = {  # other keys that must be set for a key to have an effect
    "metric_for_best_model": {"load_best_model_at_end": True},
    "replay_ratio": {"replay": "more"},
    "warmup_ratio": {"max_steps": 10},
    "allow_gold": {"data": "gold"},
    "on_overflow": {"max_length": 24},
}


class Reached(Exception):
    """The stage has created its trainer."""


@pytest.fixture
def reach(tmp_path, monkeypatch, cut_models):
    """Runs a stage up to its trainer and returns what can be observed: trainer arguments, notes, or the error."""
    monkeypatch.setattr(console, "quiet", True)
    files = {name: rows(tmp_path, name) for name in ("data", "more", "gold")}
    seen: dict[str, Any] = {}

    class RecordedTrainer:
        def __init__(self, **kwargs: Any) -> None:
            seen["arguments"] = {name: comparable(value) for name, value in sorted(kwargs.items())}

    def stop_at_trainer(run: Run, make_trainer: Any, *, steps: int, best_checkpoint: Any = None, **_: Any) -> None:
        seen["best_checkpoint"] = repr(best_checkpoint)
        make_trainer(None, None)
        raise Reached

    def call(method: str, keys: dict[str, Any]) -> dict[str, Any]:
        module = importlib.import_module(f"slmkit.stages.{method}")
        monkeypatch.setattr(module, "train_model", stop_at_trainer)
        monkeypatch.setattr(
            sft_trainer if method == "sft" else module, "guarded", lambda trainer_class: RecordedTrainer
        )
        stage = getattr(module, method)
        folder = tmp_path / "run"
        (folder / "notes.jsonl").unlink(missing_ok=True)
        seen.clear()
        values = {"data": "data", "model": ONE_LAYER, "device": "cpu", **keys}
        values |= {name: cut_models[value.name] for name, value in values.items() if isinstance(value, ModelRef)}
        values |= {name: files[values[name]] for name in ("data", "replay") if values.get(name)}
        try:
            module.check(**call_arguments(stage, values))
            stage(Run(folder), **call_arguments(stage, values))
        except Reached:
            seen["notes"] = (folder / "notes.jsonl").read_text()
        except SlmkitError as error:
            seen["error"] = str(error)
        return dict(seen)

    return call


def rows(folder: Path, name: str) -> Path:
    """Three rows that can be used as chats and as pairs; the third is long."""
    prompt = {"data": "which cup?", "more": "which box?", "gold": gold_question()}[name]
    written = []
    for i, colour in enumerate(("red", "blue", "green " * 20)):
        question = prompt if name == "gold" else f"{prompt} {i}"
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": colour}]
        written.append({"messages": messages, "prompt": question, "chosen": colour, "rejected": "a cup"})
    folder = folder / name
    folder.mkdir()
    for file in ("train", "validation"):
        (folder / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
    return folder


def gold_question() -> str:
    return read_gold(REPOSITORY / "gold" / "tickets").examples[0].input


def comparable(value: Any) -> Any:
    """A trainer's argument in a form that can be compared."""
    if hasattr(value, "to_dict") and hasattr(value, "output_dir"):  # a config of TRL
        return {name: str(setting) for name, setting in value.to_dict().items()}
    if hasattr(value, "named_parameters"):
        weights = [(name, str(p.dtype), tuple(p.shape), p.requires_grad) for name, p in value.named_parameters()]
        return str(getattr(value, "peft_config", None)), weights
    if hasattr(value, "to_list"):  # a dataset
        return value.to_list()
    if hasattr(value, "num_extra"):
        return vars(value)
    if isinstance(value, list):
        return [getattr(part, "__name__", part) for part in value]
    return value if isinstance(value, (int, float, str, bool)) else type(value).__name__


def required(method: str) -> dict[str, Any]:
    return {"grpo": {"rewards": [reward_one]}, "distill": {"teacher": TWO_LAYERS}}.get(method, {})


def keys_of(method: str) -> list[str]:
    return list(parameters(getattr(importlib.import_module(f"slmkit.stages.{method}"), method)))


@pytest.mark.parametrize("method", [METHODS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in METHODS[1:])])
def test_every_key_of_a_training_stage_changes_something(reach, method):
    assert not keys_without_effect(reach, method, keys_of(method))


@pytest.mark.parametrize("method", METHODS[1:])
def test_every_key_that_sft_does_not_have_changes_something(reach, method):
    own = set(keys_of(method)) - set(keys_of(METHODS[0]))
    assert not keys_without_effect(reach, method, sorted(own | {"learning_rate", "max_length", "lora"}))


def keys_without_effect(reach, method: str, keys: list[str]) -> list[dict[str, Any]]:
    """Changes of these keys with which the stage reaches its trainer as it does without them."""
    without_effect = []
    unchanged: dict[str, dict[str, Any]] = {}
    for key in keys:
        others = {**required(method), **REQUIRES.get(key, {})}
        if repr(others) not in unchanged:
            unchanged[repr(others)] = reach(method, others)
        changes = [{key: "more"}] if key in ("data", "replay") else [{key: CHANGED.get(key)}]
        if key == "lora":
            changes = [{"lora": dataclasses.replace(Lora(), **{name: value})} for name, value in CHANGED_LORA.items()]
        without_effect += [
            change for change in changes if reach(method, {**others, **change}) == unchanged[repr(others)]
        ]
    return without_effect


def test_a_key_set_to_its_default_changes_nothing(reach):
    before = reach("dpo", {})
    assert "arguments" in before
    assert reach("dpo", {"beta": 0.1}) == before


def test_every_key_has_a_value_to_change_to():
    known = {*CHANGED, "data", "replay", "lora"}
    assert {key for method in METHODS for key in keys_of(method)} == known
    assert {field.name for field in dataclasses.fields(Lora)} == set(CHANGED_LORA)
    assert {field.name for field in dataclasses.fields(Training)} <= known
