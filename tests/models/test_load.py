"""Models load from a folder, a run or an adapter; what cannot be loaded says why, and which parameter to change."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slmkit.errors import FailedError, SlmkitError
from slmkit.models.load import (
    check_model,
    load_model,
    read_base,
    release_shared_model,
    save_base,
    shared_model,
)
from slmkit.recipe import lookup
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(lookup.PACKAGE / "assets" / "nano"))


@pytest.fixture
def adapter_run(tmp_path) -> ModelRef:
    """A run with an adapter that changes every answer."""
    from peft import LoraConfig, get_peft_model

    loaded = load_model(NANO, device="cpu")
    torch.manual_seed(0)
    adapted = get_peft_model(loaded.model, LoraConfig(r=4, target_modules="all-linear"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    folder = tmp_path / "run" / "model"
    adapted.save_pretrained(str(folder))
    loaded.tokenizer.save_pretrained(str(folder))
    save_base(folder, NANO)
    return ModelRef("loop/train", str(tmp_path / "run"))


def logits(loaded) -> torch.Tensor:
    with torch.inference_mode():
        return loaded.model(torch.arange(10, 30)[None]).logits


def test_auto_is_float32_on_a_cpu():
    loaded = load_model(NANO, device="cpu")
    assert loaded.model.dtype == torch.float32
    assert loaded.context_length == 1024
    assert not loaded.model.training
    assert load_model(NANO, device="cpu", dtype="bfloat16").model.dtype == torch.bfloat16


def test_an_adapter_is_merged_into_its_base(adapter_run):
    from peft import PeftModel

    merged = load_model(adapter_run, device="cpu")
    live = PeftModel.from_pretrained(load_model(NANO, device="cpu").model, str(Path(adapter_run.path) / "model"))
    with torch.inference_mode():
        expected = live.eval()(torch.arange(10, 30)[None]).logits
    torch.testing.assert_close(logits(merged), expected, rtol=1e-4, atol=1e-4)
    assert (logits(merged) - logits(load_model(NANO, device="cpu"))).abs().max() > 1e-2


def test_an_adapter_on_an_adapter_carries_both(adapter_run, tmp_path):
    second = tmp_path / "second" / "model"
    shutil.copytree(Path(adapter_run.path) / "model", second)
    save_base(second, adapter_run)
    twice = load_model(ModelRef("again", str(tmp_path / "second")), device="cpu")
    assert (logits(twice) - logits(load_model(adapter_run, device="cpu"))).abs().max() > 1e-2


def test_an_adapter_stays_apart_from_a_4_bit_base(adapter_run):
    from peft import PeftModel

    loaded = load_model(adapter_run, device="cpu", load_in_4bit=True)
    assert isinstance(loaded.model, PeftModel)
    assert any("Linear4bit" in type(module).__name__ for module in loaded.model.modules())
    assert logits(loaded).isfinite().all()


def test_an_embedded_base_is_named_relative_to_the_package(tmp_path):
    save_base(tmp_path, NANO)
    assert json.loads((tmp_path / "base.json").read_text())["path"] == "assets/nano"
    assert read_base(tmp_path) == NANO


def test_a_base_that_is_gone_is_named(adapter_run, tmp_path):
    (Path(adapter_run.path) / "model" / "base.json").write_text('{"name": "mine", "path": "/gone/away"}')
    with pytest.raises(SlmkitError, match="stands on 'mine', which is not at /gone/away"):
        load_model(adapter_run, device="cpu")


def test_one_model_is_kept_for_those_that_share_it(adapter_run):
    first = shared_model(NANO, device="cpu")
    assert shared_model(NANO, device="cpu") is first
    shared_model(adapter_run, device="cpu")
    assert shared_model(NANO, device="cpu") is not first
    release_shared_model()


def test_generating_needs_neither_trl_nor_peft():
    code = (
        "import sys; from slmkit.models.load import load_model; from slmkit.inference.generate import generate;"
        "from slmkit.types import ModelRef;"
        f"generate(load_model(ModelRef('nano', {NANO.path!r})), [[1, 2, 3]], max_new_tokens=2);"
        "print([name for name in ('trl', 'peft', 'datasets', 'bitsandbytes') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_checking_a_model_imports_no_torch():
    code = (
        "import sys; from slmkit.models.load import check_model; from slmkit.types import ModelRef;"
        f"check_model(ModelRef('nano', {NANO.path!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (["config.json"], "a folder without config.json or adapter_config.json"),
        (["model.safetensors"], "has no weights"),
        (["chat_template.jinja"], "has no chat template"),
    ],
)
def test_a_folder_that_is_no_usable_model_says_what_it_lacks(tmp_path, spoil, complaint):
    shutil.copytree(NANO.path, tmp_path / "mine")
    for name in spoil:
        (tmp_path / "mine" / name).unlink()
    with pytest.raises(SlmkitError, match=complaint):
        check_model(ModelRef("mine", str(tmp_path / "mine")))


def test_a_hub_model_without_a_network_says_so():
    with pytest.raises(FailedError, match="not on this machine and the hub cannot be reached") as error:
        check_model(ModelRef("org/model", "org/model"))
    assert "model=nano" in error.value.fix
    with pytest.raises(FailedError, match="the hub cannot be reached"):
        load_model(ModelRef("org/model", "org/model"), device="cpu")


def test_a_run_that_is_yet_to_be_is_taken_on_trust_until_it_is_loaded():
    check_model(ModelRef("loop/train", "runs/loop/train/0123456789ab"))
    with pytest.raises(SlmkitError, match="no folder runs/loop/train"):
        load_model(ModelRef("loop/train", "runs/loop/train/0123456789ab"), device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU that the error is about")
def test_a_gpu_that_is_not_there_is_said_at_once():
    with pytest.raises(SlmkitError, match="torch sees no GPU"):
        load_model(NANO, device="cuda")


def test_too_little_memory_names_the_parameter_to_change(monkeypatch):
    import transformers

    def full(*_, **__):  # the one fault that cannot be had here for real: a GPU that is full
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(FailedError, match="out of memory while loading 'nano'") as error:
        load_model(NANO, device="cpu")
    assert "load_in_4bit" in error.value.fix
