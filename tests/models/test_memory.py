"""Memory is planned before anything is allocated: recomputation, smaller micro-batches, or a refusal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from project_files import call, read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import FailedError, RefusedError
from slmkit.models import memory
from slmkit.models.memory import plan_micro_batch
from slmkit.runs.run_folder import Run
from slmkit.stages.dpo import dpo
from slmkit.stages.sft import sft
from slmkit.training import prepare_model
from slmkit.training.config import Training
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano"))
MIB = 2**20


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    import torch

    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)


def notes(run: Run) -> list[str]:
    return [row["text"] for row in read_jsonl(run.dir / "notes.jsonl")]


def free(monkeypatch, mib: float) -> None:
    """Sets the memory that is free."""
    monkeypatch.setattr(memory, "available_bytes", lambda device: int(mib * MIB))


def test_activations_are_recomputed_only_where_memory_requires_it(nano, monkeypatch):
    nano.model.requires_grad_(False)
    free(monkeypatch, 10_000)
    roomy = plan_micro_batch(nano.model, longest=256)
    assert not roomy.gradient_checkpointing
    assert plan_micro_batch(nano.model, longest=256, gradient_checkpointing=True).gradient_checkpointing
    free(monkeypatch, 16)  # 13.6 MiB usable: 500 tokens with recomputation, 190 without
    tight = plan_micro_batch(nano.model, longest=256)
    assert tight.gradient_checkpointing and tight.reason != roomy.reason
    assert tight.max_tokens >= 256
    with pytest.raises(RefusedError, match="GiB") as refused:
        plan_micro_batch(nano.model, longest=256, gradient_checkpointing=False)
    assert "256" in refused.value.where


def test_a_step_keeps_its_rows_when_fewer_fit_at_once():
    notes: list[str] = []
    asked = Training(per_device_train_batch_size=12, gradient_accumulation_steps=2)
    assert asked.with_micro_batch(100, notes.append) is asked
    assert not notes
    for max_rows, size in ((11, 8), (5, 4), (1, 1), (0, 1)):
        smaller = asked.with_micro_batch(max_rows, notes.append)
        assert smaller.per_device_train_batch_size == size
        assert smaller.rows_per_step == asked.rows_per_step == 24
    assert re.findall(r"\d+", notes[0]) == ["8", "3", "12"]  # rows, micro-batches per step, rows asked for


@pytest.mark.long
def test_recomputation_changes_no_result(tmp_path, monkeypatch):
    turns = [{"role": "user", "content": "which cup is in the box? " * 8}, {"role": "assistant", "content": "red"}]
    data = tmp_path / "train.jsonl"
    data.write_text((json.dumps({"messages": turns}) + "\n") * 16)
    plain, tight = Run(tmp_path / "plain"), Run(tmp_path / "tight")
    call(sft, plain, data=data, model=NANO, max_steps=3, device="cpu")
    free(monkeypatch, 32)
    call(sft, tight, data=data, model=NANO, max_steps=3, device="cpu")
    recomputed = [sum("recomputed" in note for note in notes(run)) for run in (plain, tight)]
    assert recomputed == [0, 1]
    assert tight.metrics["train_loss"] == pytest.approx(plain.metrics["train_loss"], rel=1e-4)


def test_pairs_that_do_not_fit_at_once_train_the_same(tmp_path, monkeypatch):
    data = tmp_path / "train.jsonl"
    rows = [{"prompt": f"cup {i}", "chosen": "red", "rejected": "blue"} for i in range(16)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    losses = {}
    for name, mib in (("whole", 10_000), ("parts", 5)):
        free(monkeypatch, mib)
        run = Run(tmp_path / name)
        call(dpo, run, data=data, model=NANO, max_steps=3, learning_rate=1e-3, device="cpu")
        losses[name] = [row["loss"] for row in read_jsonl(run.dir / "log.jsonl") if "loss" in row]
    assert len(notes(Run(tmp_path / "parts"))) == len(notes(Run(tmp_path / "whole"))) + 1  # on smaller micro-batches
    assert losses["parts"] == pytest.approx(losses["whole"], rel=1e-3)


@pytest.mark.parametrize("asked", [{}, {"gradient_checkpointing": False, "per_device_train_batch_size": 1}])
def test_out_of_memory_in_a_step_names_the_step_and_the_parameters(tmp_path, monkeypatch, asked):
    import torch

    plain, calls = prepare_model.attach, [0]

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)

        def forward(module, given):
            calls[0] += module.training
            if calls[0] > 4:  # the trial step and one more, each with a reference
                raise torch.OutOfMemoryError("planted")

        model.register_forward_pre_hook(forward)
        return model

    monkeypatch.setattr(prepare_model, "attach", attach)
    data = tmp_path / "train.jsonl"
    rows = [{"prompt": f"cup {i}", "chosen": "red", "rejected": "blue"} for i in range(16)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(FailedError, match=r"training.* [23]\b") as error:
        call(dpo, Run(tmp_path / "run"), data=data, model=NANO, max_steps=4, device="cpu", **asked)
    assert error.value.fix.startswith("gradient_checkpointing: true" if asked else "per_device_train_batch_size: 4")
    assert "adapter: qlora" in error.value.fix
