"""What fits is counted before anything is allocated: recomputing where memory asks, smaller batches, a refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from project_files import call, read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import FailedError, RefusedError
from slmkit.models import memory
from slmkit.models.memory import plan_micro_batch
from slmkit.runs.run import Run
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


def free(monkeypatch, mib: float) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda device: int(mib * MIB))


def test_activations_are_recomputed_only_where_memory_asks_for_it(nano, monkeypatch):
    nano.model.requires_grad_(False)
    free(monkeypatch, 10_000)
    roomy = plan_micro_batch(nano.model, longest=256)
    assert (roomy.gradient_checkpointing, "recomputed" in roomy.reason) == (False, False)
    assert plan_micro_batch(nano.model, longest=256, gradient_checkpointing=True).gradient_checkpointing
    free(monkeypatch, 16)  # 13.6 MiB to use: 500 tokens recomputed, 190 kept
    tight = plan_micro_batch(nano.model, longest=256)
    assert tight.gradient_checkpointing and "activations recomputed in backward to fit" in tight.reason
    assert tight.max_tokens >= 256
    with pytest.raises(RefusedError, match="training needs about") as refused:
        plan_micro_batch(nano.model, longest=256, gradient_checkpointing=False)
    assert "one row of 256 tokens" in refused.value.where


def test_the_rows_of_a_step_stay_when_fewer_fit_at_once():
    notes: list[str] = []
    asked = Training(per_device_train_batch_size=12, gradient_accumulation_steps=2)
    assert asked.with_micro_batch(100, notes.append) is asked
    assert not notes
    for fits, size in ((11, 8), (5, 4), (1, 1), (0, 1)):
        smaller = asked.with_micro_batch(fits, notes.append)
        assert smaller.per_device_train_batch_size == size
        assert smaller.rows_per_step == asked.rows_per_step == 24
    assert notes[0] == "micro-batches of 8 rows, 3 to a step: 12 do not fit"


def test_recomputing_changes_no_figure(tmp_path, monkeypatch):
    turns = [{"role": "user", "content": "which cup is in the box? " * 8}, {"role": "assistant", "content": "red"}]
    data = tmp_path / "train.jsonl"
    data.write_text((json.dumps({"messages": turns}) + "\n") * 16)
    plain, tight = Run(tmp_path / "plain"), Run(tmp_path / "tight")
    call(sft, plain, data=data, model=NANO, max_steps=3, device="cpu")
    free(monkeypatch, 32)
    call(sft, tight, data=data, model=NANO, max_steps=3, device="cpu")
    assert "recomputed" not in (plain.dir / "notes.jsonl").read_text()
    assert "recomputed" in (tight.dir / "notes.jsonl").read_text()
    assert tight.metrics["train_loss"] == pytest.approx(plain.metrics["train_loss"], rel=1e-4)


def test_pairs_that_do_not_fit_at_once_give_the_same_steps(tmp_path, monkeypatch):
    data = tmp_path / "train.jsonl"
    rows = [{"prompt": f"cup {i}", "chosen": "red", "rejected": "blue"} for i in range(16)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    losses = {}
    for name, mib in (("whole", 10_000), ("parts", 5)):
        free(monkeypatch, mib)
        run = Run(tmp_path / name)
        call(dpo, run, data=data, model=NANO, max_steps=3, learning_rate=1e-3, device="cpu")
        losses[name] = [row["loss"] for row in read_jsonl(run.dir / "log.jsonl") if "loss" in row]
    assert "do not fit" in (tmp_path / "parts" / "notes.jsonl").read_text()
    assert losses["parts"] == pytest.approx(losses["whole"], rel=1e-3)


@pytest.mark.parametrize("asked", [{}, {"gradient_checkpointing": False, "per_device_train_batch_size": 1}])
def test_memory_that_runs_out_in_a_step_names_step_and_parameters(tmp_path, monkeypatch, asked):
    import torch

    plain, calls = prepare_model.attach, [0]

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)

        def forward(module, given):
            calls[0] += module.training
            if calls[0] > 4:  # the step that is tried first, and one more, with a reference each
                raise torch.OutOfMemoryError("planted")

        model.register_forward_pre_hook(forward)
        return model

    monkeypatch.setattr(prepare_model, "attach", attach)
    data = tmp_path / "train.jsonl"
    rows = [{"prompt": f"cup {i}", "chosen": "red", "rejected": "blue"} for i in range(16)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(FailedError, match=r"out of memory while training, at step [23]") as error:
        call(dpo, Run(tmp_path / "run"), data=data, model=NANO, max_steps=4, device="cpu", **asked)
    halved = "per_device_train_batch_size: 4 with as many more gradient_accumulation_steps"
    assert error.value.fix.startswith("gradient_checkpointing: true, or adapter: qlora" if asked else halved)
