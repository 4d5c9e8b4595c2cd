"""Micro-batches side by side give the same step as one after the other, whatever the number of workers."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from slmkit.models.lora import Lora, attach
from slmkit.models.memory import MicroBatch
from slmkit.rows.loss_mask import Row
from slmkit.training.config import Training
from slmkit.training.sft_trainer import sft_trainer
from slmkit.training.side_by_side import draws_random_numbers, kept_heap, side_by_side
from slmkit.training.trainer import Shuffle

ROWS = [Row(f"r{i}", list(range(5, 11 + i)), [-100] * 3 + list(range(8, 11 + i))) for i in range(6)]


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def trained(nano, folder, *, workers: int, dropout: float = 0.0):
    """A trainer after two steps of all rows, in several micro-batches."""
    model = attach(nano.model, Lora(lora_dropout=dropout), adapter="lora", seed=0)
    training = Training(learning_rate=1e-2, max_steps=2, per_device_train_batch_size=6, device="cpu")
    arguments = training.trainer_arguments(
        folder, model=model, steps=2, learning_rate=1e-2, gradient_checkpointing=False, seed=0
    )
    losses: list[float] = []
    trainer = sft_trainer(
        model=model,
        tokenizer=nano.tokenizer,
        arguments={**arguments, "save_strategy": "no"},
        rows=ROWS,
        validation=ROWS[:3],
        shuffle=Shuffle(len(ROWS), seed=0),
        micro_batch=MicroBatch(16, 4, False, "", workers),
        on_step=lambda step, loss, tokens: losses.append(loss),
        on_log=lambda step, values: None,
    )
    trainer.train()
    return trainer, losses


def test_two_workers_train_the_same_weights_as_three_and_the_losses_of_one(nano, tmp_path):
    from slmkit.models.load import load_model

    found = {}
    for workers in (1, 2, 3):
        trainer, losses = trained(load_model(nano.ref, device="cpu"), tmp_path / str(workers), workers=workers)
        weights = [parameter.detach().clone() for parameter in trainer.model.parameters() if parameter.requires_grad]
        found[workers] = losses, trainer.evaluate()["eval_loss"], weights
    torch.testing.assert_close(found[2][:2], found[1][:2], rtol=1e-4, atol=1e-4)
    for ours, one in zip(found[2][2], found[1][2], strict=True):
        torch.testing.assert_close(ours, one, rtol=0, atol=2e-3)
    again, losses = trained(load_model(nano.ref, device="cpu"), tmp_path / "again", workers=2)
    assert losses == found[2][0]
    same = [parameter for parameter in again.model.parameters() if parameter.requires_grad]
    assert all(map(torch.equal, same, found[2][2]))


def test_results_are_in_the_order_of_the_batches_and_every_worker_computes_alone():
    seen = []

    def work(batch: int) -> int:
        seen.append((threading.get_ident(), torch.get_num_threads()))
        return batch * batch

    assert list(side_by_side(work, range(5), workers=2)) == [0, 1, 4, 9, 16]
    assert {threads for _, threads in seen} == {1}
    assert threading.get_ident() not in {thread for thread, _ in seen}
    assert torch.get_num_threads() == 2


def test_an_error_in_a_worker_reaches_the_caller_and_gives_the_threads_back():
    def work(batch: int) -> int:
        raise torch.OutOfMemoryError("planted")

    with pytest.raises(torch.OutOfMemoryError):
        list(side_by_side(work, range(4), workers=2))
    assert torch.get_num_threads() == 2


def test_dropout_keeps_micro_batches_one_after_the_other(nano, tmp_path):
    assert not draws_random_numbers(nano.model)
    assert draws_random_numbers(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)))
    trainer, _ = trained(nano, tmp_path, workers=2, dropout=0.1)
    assert trainer.workers == 1


def test_the_heap_is_kept_in_the_block_only_and_an_error_passes():
    with pytest.raises(ValueError, match="planted"), kept_heap():
        raise ValueError("planted")
