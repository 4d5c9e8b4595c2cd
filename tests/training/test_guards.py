"""Every guard of training fires on its fault: FAULTS plants each one in a real training run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from project_files import call, read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import FailedError, RefusedError
from slmkit.models import memory
from slmkit.models.lora import Lora, attach
from slmkit.runs.run_folder import Run
from slmkit.stages.sft import sft
from slmkit.training import prepare_model
from slmkit.training.guards import check_saved
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


def no_memory_in_the_trial_step(monkeypatch):
    def forward(*args, **kwargs):
        raise torch.OutOfMemoryError("planted")

    plain = prepare_model.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)
        model.register_forward_pre_hook(lambda module, args: forward() if module.training else None)
        return model

    monkeypatch.setattr(prepare_model, "attach", attach)


def a_module_without_gradient(monkeypatch):
    plain = prepare_model.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)
        for parameter in model.base_model.model.model.layers[1].mlp.up_proj.parameters():
            if parameter.requires_grad:
                parameter.register_hook(torch.zeros_like)
        return model

    monkeypatch.setattr(prepare_model, "attach", attach)


def a_gradient_that_is_not_finite(monkeypatch):
    plain = prepare_model.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_hook(lambda gradient: gradient * float("nan"))
        return model

    monkeypatch.setattr(prepare_model, "attach", attach)


def an_adapter_that_is_saved_wrong(monkeypatch):
    from safetensors.torch import load_file, save_file

    from slmkit.training import save_and_check

    def spoil(folder, ref):
        file = folder / "adapter_model.safetensors"
        save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)

    monkeypatch.setattr(save_and_check, "clean_saved_model", spoil)


def an_optimizer_that_moves_nothing(monkeypatch):
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, *args, **kwargs: None)


FAULTS = [  # the fault, the error, and a value that the message must contain
    (no_memory_at_all, RefusedError, r"0\.0 GiB"),
    (no_memory_in_the_trial_step, FailedError, "adapter: qlora"),
    (a_module_without_gradient, FailedError, r"1 of 28\b.*\.up_proj"),
    (a_gradient_that_is_not_finite, FailedError, r"layers\.\d[\s\S]*learning_rate"),
    (an_adapter_that_is_saved_wrong, FailedError, "/model"),
    (an_optimizer_that_moves_nothing, FailedError, "4 rows[\\s\\S]*num_train_epochs"),
]


@pytest.mark.parametrize(("fault", "kind", "value"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_a_guard_fires_on_its_planted_fault(tmp_path, data, monkeypatch, fault, kind, value):
    fault(monkeypatch)
    with pytest.raises(kind, match=value):
        call(sft, Run(tmp_path), data=data, model=NANO, max_steps=1, device="cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data) -> Run:
    """Three steps without a fault."""
    run = Run(tmp_path_factory.mktemp("trained"))
    call(sft, run, data=data, model=NANO, max_steps=3, device="cpu")
    return run


def test_a_micro_batch_that_does_not_fit_is_halved_without_changing_the_step(tmp_path, data, trained, monkeypatch):
    plain = prepare_model.attach

    def attach(*args, **kwargs):
        model = plain(*args, **kwargs)

        def refuse(module, args, kwargs):
            if module.training and len(kwargs["input_ids"]) > 3:
                raise torch.OutOfMemoryError("planted")

        model.register_forward_pre_hook(refuse, with_kwargs=True)
        return model

    monkeypatch.setattr(prepare_model, "attach", attach)
    halved = Run(tmp_path)
    call(sft, halved, data=data, model=NANO, max_steps=3, device="cpu")
    notes = [{row["text"] for row in read_jsonl(run.dir / "notes.jsonl")} for run in (trained, halved)]
    assert len(notes[1] - notes[0]) == 2  # from 8 rows to 4, and to 2
    assert halved.metrics["train_loss"] == pytest.approx(trained.metrics["train_loss"], rel=1e-4)


class Evil:
    """Runs code where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_pickle_planted_in_a_checkpoint_is_refused_and_never_run(tmp_path, data, monkeypatch):
    class Killed(BaseException): ...

    def dying(self, step, **values):
        if step == 2:
            raise Killed

    keys = {"data": data, "model": NANO, "max_steps": 2, "device": "cpu"}
    first = tmp_path / "first"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Run, "log", dying)
        call(sft, Run(first), **keys)
    checkpoint = Run(first).checkpoint
    assert checkpoint is not None
    pickles = sorted(path.name for path in checkpoint.iterdir() if path.suffix in (".pt", ".pth", ".bin", ".pkl"))
    assert pickles == ["optimizer.pt", "rng_state.pth", "scheduler.pt"]  # the rest is safetensors, JSON or text
    for name in pickles:
        folder, marker = tmp_path / name, tmp_path / f"{name}.run"
        shutil.copytree(first, folder)
        torch.save(Evil(marker), folder / "checkpoints" / checkpoint.name / name)
        with pytest.raises(RefusedError) as refused:
            call(sft, Run(folder), **keys)
        assert refused.value.where == str(folder / "checkpoints" / checkpoint.name)
        assert not marker.exists()


@pytest.mark.slow
def test_a_saved_adapter_predicts_the_same_in_a_new_process(data, trained):
    from slmkit.models.load import load_model
    from slmkit.rows.loss_mask import label_chats, read_chats
    from slmkit.training.predictions import predict

    code = (
        "import json, sys; from pathlib import Path\n"
        "from slmkit.training.predictions import predict\n"
        "from slmkit.rows.loss_mask import label_chats, read_chats\n"
        "from slmkit.models.load import load_model\n"
        "from slmkit.types import ModelRef\n"
        "loaded = load_model(ModelRef('tuned', sys.argv[1]), device='cpu')\n"
        "rows = label_chats(loaded.tokenizer, read_chats(Path(sys.argv[2])))\n"
        "print(json.dumps(predict(loaded.model, rows).losses))"
    )
    rows = data / "validation.jsonl"
    command = [sys.executable, "-c", code, str(trained.dir), str(rows)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    tuned = load_model(ModelRef("tuned", str(trained.dir)), device="cpu")
    here = predict(tuned.model, label_chats(tuned.tokenizer, read_chats(rows))).losses
    log = read_jsonl(trained.dir / "log.jsonl")
    validation_loss = next(row["validation_loss"] for row in reversed(log) if "validation_loss" in row)
    assert json.loads(output.splitlines()[-1]) == pytest.approx(here, rel=1e-6)
    assert sum(here) / len(here) == pytest.approx(validation_loss, rel=1e-4)


def test_the_same_weights_are_validated_once(trained):
    steps = [row["step"] for row in read_jsonl(trained.path("log.jsonl")) if "validation_loss" in row]
    assert {0, 3} <= set(steps)
    assert len(steps) == len(set(steps))


def test_two_adapters_differ_by_a_weight_or_by_their_scale(nano, tmp_path):
    model = attach(nano.model, Lora(), adapter="lora", seed=0)
    model.save_pretrained(str(tmp_path))
    check_saved(model, tmp_path)
    assert list(model.peft_config) == ["default"]
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    layer.scaling["default"] *= 2
    with pytest.raises(FailedError, match=r"q_proj\.scaling"):
        check_saved(model, tmp_path)
    layer.scaling["default"] /= 2
    with torch.no_grad():
        layer.lora_B["default"].weight[0, 0] = 1e-6  # too small to change a prediction
    with pytest.raises(FailedError, match=r"q_proj\.lora_B"):
        check_saved(model, tmp_path)
    assert model.active_adapter == "default"
