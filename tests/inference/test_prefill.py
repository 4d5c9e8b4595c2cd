"""Batches are halved where memory runs out, and for no other error."""

from __future__ import annotations

import pytest
import torch

from slmkit.errors import FailedError
from slmkit.inference.prefill import Output, in_batches
from slmkit.models.load import shared_model
from slmkit.types import ModelRef
from tests.conftest import REPOSITORY

NANO = ModelRef("nano", str(REPOSITORY / "slmkit" / "assets" / "nano"))
PROMPTS = [[1, 2, 3]] * 8


def sizes_tried(error: Exception) -> list[int]:
    """The sizes of the batches tried where every batch of more than two rows raises the error."""
    sizes: list[int] = []

    def answer(batch: list[int]) -> list[Output]:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise error
        return [Output("", 3) for _ in batch]

    in_batches(
        shared_model(NANO, device="cpu"), PROMPTS, answer, new_tokens=1, batch_size=None, on_output=lambda i, o: None
    )
    return sizes


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_a_batch_is_halved_where_memory_runs_out(error: Exception) -> None:
    assert sizes_tried(error) == [8, 4, 2, 2, 2, 2]


def test_an_illegal_memory_access_is_not_hidden_by_smaller_batches() -> None:
    with pytest.raises(RuntimeError, match="illegal memory access"):
        sizes_tried(RuntimeError("CUDA error: an illegal memory access was encountered"))


def test_a_batch_of_the_size_asked_for_is_not_halved() -> None:
    def answer(batch: list[int]) -> list[Output]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(FailedError, match="8") as error:
        in_batches(
            shared_model(NANO, device="cpu"), PROMPTS, answer, new_tokens=1, batch_size=8, on_output=lambda i, o: None
        )
    assert "batch_size" in error.value.fix
