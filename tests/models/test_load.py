"""Models load from a folder, a run or an adapter; if one cannot, the error says why and what to change."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slmkit.errors import FailedError, SlmkitError
from slmkit.models.check_model import check_model
from slmkit.models.load import load_model, release_shared_model, shared_model
from slmkit.models.model_folder import read_base, save_base
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


def test_a_bundled_base_is_named_relative_to_the_package(tmp_path):
    save_base(tmp_path, NANO)
    assert json.loads((tmp_path / "base.json").read_text())["path"] == "assets/nano"
    assert read_base(tmp_path) == NANO


def test_a_missing_base_model_is_named(adapter_run, tmp_path):
    (Path(adapter_run.path) / "model" / "base.json").write_text('{"name": "mine", "path": "/gone/away"}')
    with pytest.raises(SlmkitError, match=r"'mine'.*/gone/away") as error:
        load_model(adapter_run, device="cpu")
    assert error.value.where.endswith("base.json")


def test_the_last_model_is_cached(adapter_run):
    first = shared_model(NANO, device="cpu")
    assert shared_model(NANO, device="cpu") is first
    shared_model(adapter_run, device="cpu")
    assert shared_model(NANO, device="cpu") is not first
    release_shared_model()


def test_checking_imports_no_torch_and_generating_neither_trl_nor_peft():
    code = (
        "import sys; from slmkit.models.check_model import check_model; from slmkit.types import ModelRef;"
        f"nano = ModelRef('nano', {NANO.path!r}); check_model(nano); print('torch' in sys.modules);"
        "from slmkit.models.load import load_model; from slmkit.inference.generate import generate;"
        "generate(load_model(nano), [[1, 2, 3]], max_new_tokens=2);"
        "print([name for name in ('trl', 'peft', 'datasets', 'bitsandbytes') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "[]"]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("config.json", "config.json or adapter_config.json"),
        ("model.safetensors", "weights"),
        ("chat_template.jinja", "chat template"),
    ],
)
def test_an_incomplete_model_folder_is_refused_with_what_is_missing(tmp_path, missing, named):
    shutil.copytree(NANO.path, tmp_path / "mine")
    (tmp_path / "mine" / missing).unlink()
    with pytest.raises(SlmkitError, match=f"'mine'.*{named}"):
        check_model(ModelRef("mine", str(tmp_path / "mine")))


def test_a_hub_model_without_a_network_is_an_error_that_names_it():
    with pytest.raises(FailedError, match="'org/model'") as error:
        check_model(ModelRef("org/model", "org/model"))
    assert "model=nano" in error.value.fix
    with pytest.raises(FailedError, match="'org/model'"):
        load_model(ModelRef("org/model", "org/model"), device="cpu")


def test_a_run_that_does_not_exist_yet_passes_the_check_but_does_not_load():
    check_model(ModelRef("loop/train", "runs/loop/train/0123456789ab"))
    with pytest.raises(SlmkitError, match="runs/loop/train/0123456789ab"):
        load_model(ModelRef("loop/train", "runs/loop/train/0123456789ab"), device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_an_error_at_once():
    with pytest.raises(SlmkitError, match="'cuda'") as error:
        load_model(NANO, device="cuda")
    assert error.value.where == "device"


def test_too_little_memory_names_the_parameter_to_change(monkeypatch):
    import transformers

    def full(*_, **__):  # a full GPU is the one fault that cannot be real here
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(FailedError, match=r"out of memory.*'nano'") as error:
        load_model(NANO, device="cpu")
    assert "load_in_4bit" in error.value.fix
