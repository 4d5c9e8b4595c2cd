"""The SFT trainer with micro-batches gives TRL's own numbers, and stops at a non-finite loss."""

from __future__ import annotations

import random
import re

import pytest
import torch
from project_files import REPOSITORY

from slmkit.errors import FailedError
from slmkit.models.lora import Lora, attach
from slmkit.models.memory import MicroBatch
from slmkit.rows.loss_mask import Chat, label_chats
from slmkit.rows.packing import pack
from slmkit.training.config import Training
from slmkit.training.guards import check_gradients
from slmkit.training.sft_trainer import sft_trainer, trained_tokens
from slmkit.training.trainer import Shuffle
from slmkit.types import ModelRef

STEPS, ROWS_PER_STEP = 4, 4
NANO = ModelRef("nano", str(REPOSITORY / "slmkit" / "assets" / "nano"))


def chats(number: int = 16) -> list[Chat]:
    """Chats of varied length."""
    source = random.Random(0)
    words = ["the", "red", "cup", "is", "in", "the", "box", "and", "the", "boat", "is", "on", "the", "sea"]

    def talk(most: int) -> str:
        return " ".join(source.choice(words) for _ in range(source.randint(1, most)))

    return [
        Chat(
            id=f"r{i}",
            where=f"train.jsonl:{i}",
            messages=[{"role": "user", "content": talk(40)}, {"role": "assistant", "content": talk(12)}],
        )
        for i in range(number)
    ]


def trainer_on(
    nano,
    rows,
    tmp_path,
    *,
    losses,
    adapter="full",
    rows_per_step=ROWS_PER_STEP,
    max_rows=None,
    max_tokens=64,
    steps=STEPS,
):
    max_rows = max_rows or rows_per_step
    model = attach(nano.model, Lora(), adapter=adapter, seed=0)
    training = Training(
        adapter=adapter,
        learning_rate=1e-2,
        max_steps=steps,
        per_device_train_batch_size=max_rows,
        gradient_accumulation_steps=rows_per_step // max_rows,
        lr_scheduler_type="constant",
        warmup_ratio=0.0,
        device="cpu",
    )
    arguments = training.trainer_arguments(
        tmp_path / "checkpoints", model=model, steps=steps, learning_rate=1e-2, gradient_checkpointing=False, seed=0
    )
    return sft_trainer(
        model=model,
        tokenizer=nano.tokenizer,
        arguments=arguments,
        rows=rows,
        validation=[],
        shuffle=Shuffle(len(rows), seed=0),
        micro_batch=MicroBatch(max_tokens, 8, False, ""),
        on_step=lambda step, loss, tokens: losses.append(loss),
        on_log=lambda step, values: None,
    )


@pytest.fixture(scope="module")
def trl_reference(libraries, tmp_path_factory):
    """The losses and weights of TRL's own trainer, in the order of rows that the seed gives."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from slmkit.models.load import load_model

    loaded = load_model(NANO, device="cpu")
    rows = label_chats(loaded.tokenizer, chats())
    ordered = [rows[i] for i in Shuffle(len(rows), seed=0)]
    trainer = SFTTrainer(
        model=loaded.model,
        processing_class=loaded.tokenizer,
        args=SFTConfig(
            str(tmp_path_factory.mktemp("trl")),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            max_steps=STEPS,
            per_device_train_batch_size=ROWS_PER_STEP,
            learning_rate=1e-2,
            lr_scheduler_type="constant",
            logging_steps=1,
            save_strategy="no",
            disable_tqdm=True,
            train_sampling_strategy="sequential",
            seed=0,
        ),
        train_dataset=Dataset.from_list([{"input_ids": row.input_ids, "labels": row.labels} for row in ordered]),
    )
    trainer.train()
    return [log["loss"] for log in trainer.state.log_history if "loss" in log], trainer.model.state_dict()


@pytest.mark.parametrize("max_rows", [ROWS_PER_STEP, 1])
def test_losses_and_weights_are_those_of_trl_for_any_size_of_micro_batch(nano, trl_reference, tmp_path, max_rows):
    losses: list[float] = []
    trainer = trainer_on(nano, label_chats(nano.tokenizer, chats()), tmp_path, losses=losses, max_rows=max_rows)
    trainer.train()
    expected, weights = trl_reference
    torch.testing.assert_close(torch.tensor(losses), torch.tensor(expected), rtol=1e-4, atol=1e-4)
    for name, ours in trainer.model.named_parameters():
        torch.testing.assert_close(ours, weights[name], rtol=0, atol=2e-3, msg=name)  # Adam steps of 1e-2: signs agree


def test_a_step_on_packed_rows_is_the_step_on_the_rows(nano, tmp_path):
    from slmkit.models.load import load_model

    rows = label_chats(nano.tokenizer, chats())
    packed = pack(rows, max_length=128)
    losses: dict[str, list[float]] = {"rows": [], "packed": []}
    weights = {}
    for name, given in (("rows", rows), ("packed", packed)):
        loaded = load_model(nano.ref, device="cpu")
        trainer = trainer_on(loaded, given, tmp_path / name, losses=losses[name], rows_per_step=len(given), steps=2)
        trainer.train()
        assert trainer.state.num_input_tokens_seen == 2 * sum(len(row.input_ids) for row in rows)
        weights[name] = trainer.model.state_dict()
    torch.testing.assert_close(losses["packed"], losses["rows"], rtol=1e-4, atol=1e-4)
    for name, weight in weights["rows"].items():
        torch.testing.assert_close(weights["packed"][name], weight, rtol=0, atol=2e-3, msg=name)  # as of TRL


def test_a_non_finite_loss_stops_the_run_and_names_step_and_rows(nano, tmp_path):
    with torch.no_grad():
        nano.model.model.norm.weight[0] = float("nan")
    rows = label_chats(nano.tokenizer, chats())
    with pytest.raises(FailedError, match=r"nan.* 1\b") as stopped:
        trainer_on(nano, rows, tmp_path, losses=[]).train()
    assert re.search(r"\br\d", stopped.value.where)  # the ids of the step's rows
    assert "learning_rate" in stopped.value.fix


def test_a_module_without_gradient_is_named(nano, tmp_path):
    model = attach(nano.model, Lora(), adapter="lora", seed=0)
    ids = torch.tensor([[1, 5, 6, 7]])
    model(input_ids=ids, labels=ids).loss.backward()
    check_gradients(model)
    broken = model.base_model.model.model.layers[1].mlp.up_proj
    for parameter in broken.parameters():
        parameter.grad = None
    with pytest.raises(FailedError, match=r"1 of 28\b.*model\.layers\.1\.mlp\.up_proj"):
        check_gradients(model)


def test_the_order_depends_only_on_seed_and_epoch():
    order = Shuffle(10, seed=1)
    first = list(order)
    order.epoch = 1
    assert sorted(first) == list(range(10))
    assert list(order) != first
    order.epoch = 0
    assert list(order) == first
    assert list(Shuffle(10, seed=2)) != first


def test_replayed_rows_are_drawn_anew_each_epoch():
    order = Shuffle(6, seed=0, num_extra=2, extra_pool=20)
    drawn = set()
    for epoch in range(10):
        order.epoch = epoch
        indices = list(order)
        assert len(indices) == len(order) == 8
        assert set(range(6)) <= set(indices)
        drawn |= {i for i in indices if i >= 6}
    assert len(drawn) > 8
    small = Shuffle(6, seed=0, num_extra=5, extra_pool=2)  # a small pool is used more than once
    assert sorted(i for i in small if i >= 6)[:2] == [6, 6]


def test_trained_tokens_are_counted_over_the_same_order(nano):
    rows = label_chats(nano.tokenizer, chats(10))
    each = sum(row.num_trained for row in rows)
    order = Shuffle(10, seed=0)
    assert trained_tokens(rows, order, steps=6, rows_per_step=4) == 2 * each  # 3 steps per epoch, the last of 2 rows
    order.epoch = 0
    first = sum(rows[i].num_trained for i in list(order)[:4])
    assert trained_tokens(rows, order, steps=1, rows_per_step=4) == first
