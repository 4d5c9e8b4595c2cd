"""sft from rows to a model on disk: adapters, metrics, packing, replay, early stopping, and refusals."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from project_files import call, read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.lora import Lora
from slmkit.recipe.signature import call_arguments
from slmkit.runs.run_folder import Run
from slmkit.stages.sft import check, sft
from slmkit.types import ModelRef

pytestmark = pytest.mark.usefixtures("libraries")

NANO = ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano"))
COLOURS = ("red", "blue", "green")


def write_rows(path: Path, number: int, *, seed: int) -> Path:
    """Chats with one rule to learn: the answer is the colour in the question."""
    source = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        for i in range(number):
            colour = source.choice(COLOURS)
            filler = " ".join(source.choice(("the", "cup", "box", "is", "in")) for _ in range(source.randint(2, 12)))
            messages = [
                {"role": "user", "content": f"{filler} {colour} cup"},
                {"role": "assistant", "content": colour},
            ]
            file.write(json.dumps({"id": f"r{i}", "messages": messages}) + "\n")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder / "train.jsonl", 48, seed=0)
    write_rows(folder / "validation.jsonl", 12, seed=1)
    return folder


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    import torch

    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)  # a second thread gains little on small matrices


def notes(run: Run) -> str:
    return "\n".join(row["text"] for row in read_jsonl(run.dir / "notes.jsonl"))


@pytest.fixture(scope="module")
def one_step(libraries, tmp_path_factory, data) -> Run:
    """One step with the default settings."""
    run = Run(tmp_path_factory.mktemp("one_step"))
    call(sft, run, data=data, model=NANO, max_steps=1, device="cpu")
    return run


SLOW = pytest.mark.slow  # the same code but for one option of PEFT


@pytest.mark.parametrize(
    "adapter", ["lora", "qlora", pytest.param("dora", marks=SLOW), pytest.param("rslora", marks=SLOW), "full"]
)
def test_every_adapter_learns_and_loads_again(tmp_path, data, adapter):
    from slmkit.models.load import load_model

    run = Run(tmp_path)
    settings = {"learning_rate": 3e-3, "num_train_epochs": 2, "per_device_train_batch_size": 16}
    call(sft, run, data=data, model=NANO, adapter=adapter, device="cpu", **settings)
    metrics = run.metrics
    assert metrics["validation_loss"] < metrics["validation_loss_before"] - 0.5
    assert metrics["trained_tokens"] == 2 * 48 * 2  # two epochs of 48 rows: a colour and its end
    assert metrics["steps"] == 6
    assert (metrics["trainable_share"] == 1) == (adapter == "full")
    model = run.dir / "model"
    assert (model / "chat_template.jinja").exists()
    assert (model / "adapter_config.json").exists() == (adapter != "full")
    assert not (run.dir / "checkpoints").exists()
    load_model(ModelRef("tuned", str(run.dir)), device="cpu")


def test_nothing_saved_contains_a_path_of_this_machine(one_step):
    model = one_step.dir / "model"
    assert json.loads((model / "base.json").read_text()) == {"name": "nano", "path": "assets/nano"}
    text = b"".join(path.read_bytes() for path in model.iterdir())
    assert str(Path(NANO.path).parent).encode() not in text


def test_automatic_choices_are_noted_and_can_be_set(tmp_path, data, one_step):
    assert "learning_rate 0.0032" in notes(one_step)
    assert re.search(r"micro-batches .*[\d,]+ tokens", notes(one_step))
    assert "attention sdpa" in notes(one_step)
    assert read_jsonl(one_step.dir / "log.jsonl")[1]["learning_rate"] == 0.0032
    run = Run(tmp_path)
    call(sft, run, data=data, model=NANO, max_steps=1, learning_rate=0.5, attn_implementation="eager", device="cpu")
    assert "learning_rate" not in notes(run)
    assert "attention eager" in notes(run)
    assert read_jsonl(run.dir / "log.jsonl")[1]["learning_rate"] == 0.5


def test_replay_mixes_its_share_into_each_epoch(tmp_path, data):
    replay = write_rows(tmp_path / "general.jsonl", 40, seed=7)
    run = Run(tmp_path / "run")
    call(sft, run, data=data, model=NANO, replay=replay, replay_ratio=0.25, num_train_epochs=1, device="cpu")
    assert run.metrics["steps"] == 8  # 48 rows and 16 replayed, 8 a step
    assert "40 replay rows" in notes(run)


def test_packed_rows_are_counted_in_sequences_and_trained_in_tokens(tmp_path, data, one_step):
    keys = {"data": data, "model": NANO, "device": "cpu", "num_train_epochs": 2, "per_device_train_batch_size": 2}
    packed, mixed = Run(tmp_path / "packed"), Run(tmp_path / "mixed")
    call(sft, packed, packing=True, max_length=128, **keys)
    [num] = re.findall(r"packing: 48 rows in (\d+) sequences of up to 128 tokens, 9\d%", notes(packed))
    assert packed.metrics["steps"] == 2 * -(-int(num) // 2) < 24
    assert packed.metrics["trained_tokens"] == 2 * 48 * 2  # as unpacked: a colour and its end, each epoch
    log = read_jsonl(packed.dir / "log.jsonl")
    unpacked = read_jsonl(one_step.dir / "log.jsonl")
    assert log[0]["validation_loss"] == pytest.approx(unpacked[0]["validation_loss"], rel=1e-6)
    assert log[-1]["validation_loss"] < log[0]["validation_loss"] - 0.5
    replay = write_rows(tmp_path / "general.jsonl", 40, seed=7)
    call(sft, mixed, packing=True, max_length=128, replay=replay, replay_ratio=0.5, **keys | {"num_train_epochs": 1})
    assert mixed.metrics["steps"] == packed.metrics["steps"]  # half the epochs, as many sequences again


def test_few_rows_too_long_are_dropped_and_counted_many_are_refused(tmp_path, data):
    rows = (data / "train.jsonl").read_text().splitlines() * 5
    turns = [{"role": "user", "content": "the cup " * 60}, {"role": "assistant", "content": "red"}]
    long = {"id": "long", "messages": turns}
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join([*rows, json.dumps(long)]) + "\n")
    run = Run(tmp_path / "few")
    call(sft, run, data=file, model=NANO, max_length=64, max_steps=1, device="cpu")
    assert "1 of 241 train rows" in notes(run)
    assert read_jsonl(run.dir / "too_long_train.jsonl")[0]["id"] == "long"
    file.write_text("\n".join([*rows[:20], json.dumps(long)]) + "\n")
    with pytest.raises(RefusedError, match=r"1 of 21 .*64 tokens") as refused:
        call(sft, Run(tmp_path / "many"), data=file, model=NANO, max_length=64, max_steps=1, device="cpu")
    assert "row long" in refused.value.where


@pytest.mark.parametrize(
    ("change", "value", "where"),
    [
        ({"adapter": "full", "load_in_4bit": True}, "4-bit", "load_in_4bit, adapter"),
        ({"max_steps": 0}, "0", "max_steps"),
        ({"attn_implementation": "flash_attention_2"}, "'flash_attention_2'", "attn_implementation"),
    ],
)
def test_check_refuses_before_anything_is_loaded(data, change, value, where):
    with pytest.raises(SlmkitError, match=value) as error:
        check(**call_arguments(sft, {"data": data, "model": NANO, **change}))
    assert error.value.where == where


@pytest.mark.parametrize("change", [{"data": Path("absent.jsonl")}, {"model": ModelRef("x", "no/such/folder/here")}])
def test_an_input_that_another_recipe_will_make_passes_the_check(data, change):
    check(**call_arguments(sft, {"data": data, "model": NANO, **change}))


def test_an_unknown_module_is_named_with_the_nearest(tmp_path, data):
    with pytest.raises(SlmkitError, match="'q_prj'") as error:
        call(sft, Run(tmp_path), data=data, model=NANO, lora=Lora(target_modules=["q_prj"]), max_steps=1, device="cpu")
    assert "'q_proj'" in error.value.fix


def test_a_base_model_is_pretrained_further_on_texts(tmp_path):
    base = ModelRef("nano-base", str(Path(NANO.path).with_name("nano-base")))
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, number in (("train", 10), ("validation", 4)):
        lines = (
            json.dumps({"text": f"boat {i} of the harbour is painted {COLOURS[i % 3]}. " * 9}) for i in range(number)
        )
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    chats = write_rows(tmp_path / "chats.jsonl", 8, seed=3)
    for model, keys in ((base, {}), (NANO, {"replay": chats})):
        arguments = {"data": folder, "model": model, "max_length": 32, "adapter": "full", "device": "cpu", **keys}
        check(**call_arguments(sft, arguments))
        run = Run(tmp_path / model.name)
        call(sft, run, **arguments)
        assert run.metrics["perplexity"] < 0.5 * run.metrics["perplexity_before"]
        assert re.search(r"train: .*9\d% of the tokens", notes(run))  # only the first token of a row has no label


@pytest.fixture(scope="module")
def misleading(tmp_path_factory) -> Path:
    """Validation rows that contradict the training rows: their loss falls at first, then rises."""
    folder = tmp_path_factory.mktemp("misleading")
    write_rows(folder / "train.jsonl", 24, seed=0)
    rows = read_jsonl(write_rows(folder / "validation.jsonl", 12, seed=1))
    for row in rows:
        row["messages"][1]["content"] = "green" if row["messages"][1]["content"] == "red" else "red"
    (folder / "validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.long
def test_the_best_checkpoint_on_the_validation_rows_is_kept_and_training_stops(tmp_path, misleading):
    from slmkit.models.load import load_model
    from slmkit.rows.loss_mask import label_chats, read_chats
    from slmkit.training.predictions import predict

    run = Run(tmp_path)
    keys = {
        "learning_rate": 5e-3,
        "num_train_epochs": 20,
        "load_best_model_at_end": True,
        "early_stopping_patience": 2,
    }
    call(sft, run, data=misleading, model=NANO, device="cpu", **keys)
    losses = {
        row["step"]: row["validation_loss"] for row in read_jsonl(run.dir / "log.jsonl") if "validation_loss" in row
    }
    best = min((step for step in losses if step), key=losses.__getitem__)
    assert run.metrics["best_step"] == best < run.metrics["steps"] < 60
    assert run.metrics["validation_loss"] == losses[best]
    assert f"step {best} " in notes(run)
    assert f"step {int(run.metrics['steps'])} of 60" in notes(run)
    tuned = load_model(ModelRef("tuned", str(run.dir)), device="cpu")
    found = predict(tuned.model, label_chats(tuned.tokenizer, read_chats(misleading / "validation.jsonl")))
    assert sum(found.losses) / len(found.losses) == pytest.approx(losses[best], rel=1e-3)


def test_picking_a_checkpoint_without_validation_rows_is_refused(tmp_path, data):
    with pytest.raises(RefusedError, match="load_best_model_at_end"):
        keys = {"load_best_model_at_end": True, "max_steps": 1, "device": "cpu"}
        call(sft, Run(tmp_path), data=data / "train.jsonl", model=NANO, **keys)


def test_curves_are_also_written_to_tensorboard_on_request(tmp_path, data):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = Run(tmp_path)
    call(sft, run, data=data, model=NANO, max_steps=4, report_to="tensorboard", device="cpu")
    events = EventAccumulator(str(run.dir / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    logged = [row["loss"] for row in read_jsonl(run.dir / "log.jsonl") if "loss" in row]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(logged, rel=1e-5)


def test_a_tracker_that_is_not_installed_is_refused_with_the_command_that_installs_it(data, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SlmkitError, match="'wandb'") as error:
        check(**call_arguments(sft, {"data": data, "model": NANO, "report_to": "wandb"}))
    assert error.value.fix == "pip install wandb"
