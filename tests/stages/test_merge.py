"""A QLoRA adapter, trained on 4-bit weights and merged in bfloat16, gives the same answers as a plain model."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from project_files import read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import FailedError, SlmkitError
from slmkit.runs.run_folder import Run
from slmkit.stages.merge import check, merge
from slmkit.stages.sft import sft
from slmkit.training.config import Training
from slmkit.types import ModelRef

pytestmark = pytest.mark.usefixtures("libraries")

NANO = ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, source = tmp_path_factory.mktemp("rows"), random.Random(0)
    with open(folder / "train.jsonl", "w", encoding="utf-8") as file:
        for i in range(60):
            colour = source.choice(("red", "blue", "green"))
            asked = " ".join([*source.choices(("the", "cup", "box", "is", "in"), k=source.randint(2, 12)), colour])
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": colour}]
            file.write(json.dumps({"id": f"r{i}", "messages": turns}) + "\n")
    return folder


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def adapter(data: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    run = Run(tmp_path_factory.mktemp("qlora"))
    training = Training(adapter="qlora", learning_rate=3e-3, num_train_epochs=2, device="cpu")
    sft(run, data=data, model=NANO, training=training)
    return ModelRef("tuned", str(run.dir))


@pytest.mark.long
def test_a_qlora_adapter_merged_in_bfloat16_gives_the_same_answers(
    tmp_path: Path, data: Path, adapter: ModelRef
) -> None:
    from safetensors import safe_open

    run = Run(tmp_path)
    merge(run, model=adapter, data=data, load_in_4bit=True, max_new_tokens=8, device="cpu")
    metrics = run.metrics
    assert metrics["same_answers"] == 1.0
    assert metrics["same_tokens"] == 1.0
    assert metrics["largest_loss_gap"] < 0.1
    assert metrics["same_answers_4bit"] > 0.8  # it was trained on a 4-bit version of these weights
    parity = read_jsonl(run.dir / "parity.jsonl")
    assert len(parity) == 50
    assert len({row["merged"] for row in parity}) == 3  # it learned the colours: the answers are not all alike
    files = {path.name for path in (run.dir / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= files
    assert "adapter_config.json" not in files
    with safe_open(run.dir / "model" / "model.safetensors", "pt") as weights:
        assert {str(weights.get_tensor(name).dtype) for name in weights.keys()} == {"torch.bfloat16"}  # noqa: SIM118


def test_a_merge_that_changes_answers_fails(
    tmp_path: Path, data: Path, adapter: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    import peft

    def forget(self: peft.PeftModel, *args: object, **kwargs: object) -> object:
        return self.unload()  # the base without the adapter

    monkeypatch.setattr(peft.PeftModel, "merge_and_unload", forget, raising=False)
    with pytest.raises(FailedError, match="5") as error:
        merge(Run(tmp_path), model=adapter, data=data, max_new_tokens=4, num_prompts=5, device="cpu")
    assert error.value.where == str(tmp_path / "parity.jsonl")
    assert "min_same_answers" in error.value.fix
    assert not all(row["same"] for row in read_jsonl(tmp_path / "parity.jsonl"))


def test_what_cannot_be_merged_is_refused_before_anything_is_loaded(data: Path, adapter: ModelRef) -> None:
    check(model=adapter, data=data)
    with pytest.raises(SlmkitError, match="'nano'") as error:
        check(model=NANO, data=data)
    assert error.value.where == "model"
