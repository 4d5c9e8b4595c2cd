"""Each guard of training fires on the fault it is for; the table names every one, with the fault planted in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from project_files import call

import slmkit
from slmkit.console import console
from slmkit.errors import FailedError, RefusedError
from slmkit.models import memory
from slmkit.runs.run import Run
from slmkit.stages import sft as stage
from slmkit.stages.sft import sft
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano"))


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    for name, number in (("train", 16), ("validation", 4)):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for i in range(number):
                turns = [
                    {"role": "user", "content": f"which cup is in box {i}?"},
                    {"role": "assistant", "content": "red"},
                ]
                file.write(json.dumps({"id": f"r{i}", "messages": turns}) + "\n")
    return folder


def no_memory_at_all(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device: 1000)


def no_memory_when_tried(monkeypatch):
    def forward(*args, **kwargs):
        raise torch.OutOfMemoryError("planted")

    plain = stage.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)
        model.register_forward_pre_hook(lambda module, given: forward() if module.training else None)
        return model

    monkeypatch.setattr(stage, "attach", attach)


def a_module_without_gradient(monkeypatch):
    plain = stage.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)
        for parameter in model.base_model.model.model.layers[1].mlp.up_proj.parameters():
            if parameter.requires_grad:
                parameter.register_hook(torch.zeros_like)
        return model

    monkeypatch.setattr(stage, "attach", attach)


def a_gradient_that_is_not_finite(monkeypatch):
    plain = stage.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_hook(lambda gradient: gradient * float("nan"))
        return model

    monkeypatch.setattr(stage, "attach", attach)


def an_adapter_that_is_saved_wrong(monkeypatch):
    from safetensors.torch import load_file, save_file

    from slmkit.training import loop

    def spoil(folder, ref):
        file = folder / "adapter_model.safetensors"
        save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)

    monkeypatch.setattr(loop, "finish_saved", spoil)


def an_optimizer_that_moves_nothing(monkeypatch):
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, *args, **kwargs: None)


FAULTS = [
    (no_memory_at_all, RefusedError, "training needs about"),
    (no_memory_when_tried, FailedError, "out of memory while trying a step with the longest row"),
    (
        a_module_without_gradient,
        FailedError,
        "1 of 28 modules to train got no gradient, e.g. .*up_proj",
    ),
    (a_gradient_that_is_not_finite, FailedError, "gradient of .* is not finite"),
    (an_adapter_that_is_saved_wrong, FailedError, "the saved adapter differs from the trained one"),
    (an_optimizer_that_moves_nothing, FailedError, "answers exactly as its base does"),
]


@pytest.mark.parametrize(("fault", "kind", "told"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_a_guard_fires_on_its_planted_fault(tmp_path, data, monkeypatch, fault, kind, told):
    fault(monkeypatch)
    with pytest.raises(kind, match=told) as error:
        call(sft, Run(tmp_path), data=data, model=NANO, max_steps=2, device="cpu")
    assert error.value.fix or "differs" in told


def test_a_micro_batch_that_does_not_fit_is_halved_and_the_step_keeps_its_rows(tmp_path, data, monkeypatch):
    plain = stage.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)

        def refuse(module, given, named):
            if module.training and len(named["input_ids"]) > 3:
                raise torch.OutOfMemoryError("planted")

        model.register_forward_pre_hook(refuse, with_kwargs=True)
        return model

    whole, halved = Run(tmp_path / "whole"), Run(tmp_path / "halved")
    call(sft, whole, data=data, model=NANO, max_steps=3, device="cpu")
    monkeypatch.setattr(stage, "attach", attach)
    call(sft, halved, data=data, model=NANO, max_steps=3, device="cpu")
    assert "did not fit when tried" in (halved.dir / "notes.jsonl").read_text()
    assert halved.metrics["train_loss"] == pytest.approx(whole.metrics["train_loss"], rel=1e-4)


class Evil:
    """Runs code where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_pickle_planted_in_a_checkpoint_is_refused_and_never_run(tmp_path, data, monkeypatch):
    class Killed(BaseException): ...

    def dying(self, step, **values):
        if step == 3:
            raise Killed

    keys = {"data": data, "model": NANO, "max_steps": 4, "device": "cpu"}
    first = tmp_path / "first"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Run, "log", dying)
        call(sft, Run(first), **keys)
    checkpoint = Run(first).checkpoint
    assert checkpoint is not None
    pickles = sorted(path.name for path in checkpoint.iterdir() if path.suffix in (".pt", ".pth", ".bin", ".pkl"))
    assert pickles == ["optimizer.pt", "rng_state.pth", "scheduler.pt"]  # all that is no safetensors, JSON or text
    for name in pickles:
        folder, marker = tmp_path / name, tmp_path / f"{name}.run"
        shutil.copytree(first, folder)
        torch.save(Evil(marker), folder / "checkpoints" / checkpoint.name / name)
        with pytest.raises(RefusedError, match="holds more than tensors"):
            call(sft, Run(folder), **keys)
        assert not marker.exists()


@pytest.mark.slow
def test_a_saved_adapter_says_the_same_in_a_fresh_process(tmp_path, data):
    from slmkit.models.load import load_model
    from slmkit.rows.loss_mask import label_chats, read_chats
    from slmkit.training.guards import predictions

    call(sft, Run(tmp_path), data=data, model=NANO, max_steps=3, device="cpu")
    code = (
        "import json, sys; from pathlib import Path\n"
        "from slmkit.training.guards import predictions\n"
        "from slmkit.rows.loss_mask import label_chats, read_chats\n"
        "from slmkit.models.load import load_model\n"
        "from slmkit.types import ModelRef\n"
        "loaded = load_model(ModelRef('tuned', sys.argv[1]), device='cpu')\n"
        "rows = label_chats(loaded.tokenizer, read_chats(Path(sys.argv[2])))\n"
        "print(json.dumps(predictions(loaded.model, rows).losses))"
    )
    rows = data / "validation.jsonl"
    command = [sys.executable, "-c", code, str(tmp_path), str(rows)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    tuned = load_model(ModelRef("tuned", str(tmp_path)), device="cpu")
    here = predictions(tuned.model, label_chats(tuned.tokenizer, read_chats(rows))).losses
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    trained = next(row["validation_loss"] for row in reversed(log) if "validation_loss" in row)
    assert json.loads(told.splitlines()[-1]) == pytest.approx(here, rel=1e-6)
    assert sum(here) / len(here) == pytest.approx(trained, rel=1e-4)
