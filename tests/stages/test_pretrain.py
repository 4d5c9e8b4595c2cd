"""Pretraining learns, resumes exactly, and ends its phases when their gates are passed."""

from __future__ import annotations

import json

import pytest
import torch
from project_files import read_jsonl
from safetensors.torch import load_file

from slmkit.errors import SlmkitError
from slmkit.models.load import load_model
from slmkit.runs.run_folder import Run
from slmkit.stages import pretrain as stage
from slmkit.stages.pretrain import Phase, Shape, check, pretrain
from slmkit.training.muon import orthogonal
from slmkit.types import ModelRef

SMALL = Shape(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, intermediate_size=64)


def phase(mix="copy", steps=10, **more):
    return Phase(mix=mix, max_tokens=256 * steps, max_length=64, tokens_per_step=256, **more)


class Killed(Run):
    """A run that is killed when it first writes to its log."""

    def log(self, step, **values):
        raise KeyboardInterrupt


def test_the_loss_falls_and_the_model_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "LOG_EVERY", 10)
    run = Run(tmp_path / "run")
    pretrain(run, shape=SMALL, phases=[phase(steps=40)], warmup_steps=5)
    losses = [row["loss"] for row in read_jsonl(tmp_path / "run/log.jsonl") if "loss" in row]
    assert losses[-1] < losses[0] - 0.5, losses
    loaded = load_model(ModelRef("run", str(tmp_path / "run")))
    assert loaded.model.generation_config.eos_token_id == loaded.tokenizer.eos_token_id
    assert loaded.model.config.vocab_size == len(loaded.tokenizer)
    lineage = json.loads((tmp_path / "run/model/lineage.json").read_text())
    assert lineage["tokens"] == 40 * 256
    assert lineage["phases"][0]["mix"] == "copy"


def test_a_killed_training_resumes_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SAVE_EVERY", 4)
    monkeypatch.setattr(stage, "LOG_EVERY", 6)
    arguments = {"shape": SMALL, "phases": [phase(steps=5), phase("full", steps=5)], "warmup_steps": 5}
    pretrain(Run(tmp_path / "whole"), **arguments)
    with pytest.raises(KeyboardInterrupt):
        pretrain(Killed(tmp_path / "killed"), **arguments)
    assert Run(tmp_path / "killed").checkpoint.name == "checkpoint-4"
    pretrain(Run(tmp_path / "killed"), **arguments)
    whole, resumed = (load_file(tmp_path / name / "model/model.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        pretrain(Run(tmp_path / name, seed=seed), shape=SMALL, phases=[phase(steps=3)])
        weights.append(load_file(tmp_path / name / "model/model.safetensors"))
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not torch.equal(weights[0]["model.embed_tokens.weight"], weights[2]["model.embed_tokens.weight"])


def test_a_gate_ends_its_phase_and_an_unreached_one_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "MEASURE_EVERY", 4)
    easy, hard = phase(steps=12, gate="repeat", above=0.0), phase(steps=12, gate="repeat", above=1.0)
    pretrain(Run(tmp_path / "run"), shape=SMALL, phases=[easy, hard])
    lineage = json.loads((tmp_path / "run/model/lineage.json").read_text())
    assert [phase["tokens"] for phase in lineage["phases"]] == [4 * 256, 12 * 256]


def test_pretraining_continues_from_a_model_on_chats(tmp_path):
    pretrain(Run(tmp_path / "base"), shape=SMALL, phases=[phase(steps=2)])
    base = ModelRef("base", str(tmp_path / "base"))
    pretrain(Run(tmp_path / "chat"), model=base, phases=[phase("chat", steps=2)])
    lineage = json.loads((tmp_path / "chat/model/lineage.json").read_text())
    assert lineage["from"] == "base"


def test_muon_makes_updates_of_any_shape_orthogonal():
    for shape in ((3, 8, 8), (2, 4, 16), (2, 16, 4)):
        update = orthogonal(torch.randn(*shape, generator=torch.Generator().manual_seed(0)))
        singular = torch.linalg.svdvals(update)
        assert update.shape == shape
        assert singular.min() > 0.3 and singular.max() < 1.3


@pytest.mark.parametrize(
    ("arguments", "value", "where"),
    [
        ({"phases": [phase("prose")], "shape": SMALL}, "'prose'", "with.phases[0].mix"),
        ({"phases": [phase(gate="poetry")], "shape": SMALL}, "'poetry'", "with.phases[0].gate"),
        ({"phases": [phase()]}, "model", "with.model, with.shape"),
    ],
)
def test_a_mistake_is_an_error_before_training(arguments, value, where):
    with pytest.raises(SlmkitError, match=value) as error:
        check(**arguments)
    assert error.value.where == where


def test_compiling_without_a_compiler_is_an_error_before_training(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SlmkitError) as error:
        check(phases=[phase()], shape=SMALL, compile=True)
    assert error.value.where == "with.compile"
