"""Micro-batches side by side on the cores of a CPU: each thread computes a whole one and waits for nobody.

torch splits one matrix product over the cores. At the sizes of a small model that pays little, because the threads
meet thousands of times per step, and beside another program it costs: each meeting waits until the scheduler has run
all of them. Micro-batches meet once per step.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

Batch = TypeVar("Batch")
Result = TypeVar("Result")

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h


def side_by_side(work: Callable[[Batch], Result], batches: Sequence[Batch], *, workers: int) -> Iterator[Result]:
    """work(batch) of each batch, in their order, computed by `workers` threads that share torch's threads equally.

    The results do not depend on the number of workers if each has one thread. With one worker or one batch, the caller
    computes them with all threads.
    """
    import torch

    threads = torch.get_num_threads()
    workers = min(workers, len(batches))
    if workers < 2:
        yield from map(work, batches)
        return
    each = max(1, threads // workers)

    def work_alone(batch: Batch) -> Result:
        torch.set_num_threads(each)  # of this thread, and of MKL in the whole process
        return work(batch)

    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(work_alone, batches)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def add_gradients(parameters: Sequence[torch.nn.Parameter], gradients: Sequence[torch.Tensor | None]) -> None:
    """Adds the gradients of one micro-batch to those of the step, as backward() would."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            continue
        if parameter.grad is None:
            parameter.grad = gradient
        else:
            parameter.grad += gradient


def draws_random_numbers(model: Any) -> bool:
    """Whether a forward pass in training draws random numbers, which threads would share in another order each time.

    True if any module has a dropout above 0.
    """
    names = ("p", "attention_dropout", "dropout", "hidden_dropout")
    values = (getattr(module, name, 0) for module in model.modules() for name in names)
    return any(isinstance(value, (int, float)) and value > 0 for value in values)


@contextmanager
def kept_heap() -> Iterator[None]:
    """In the block, memory that a micro-batch frees is kept for the next one.

    glibc would return it to the system, and each page of it would be faulted in and cleared again: with SmolLM2-135M,
    13,600 pages per micro-batch of 108 tokens. Nothing changes where there is no glibc.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        yield
        return
    set_option(_M_MMAP_THRESHOLD, 32 * 2**20)  # the largest that glibc allows, which it would reach anyway
    set_option(_M_TOP_PAD, 64 * 2**20)  # so that a thread keeps its last heap, which has at most this size
    set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        set_option(_M_TOP_PAD, 128 * 2**10)
        set_option(_M_TRIM_THRESHOLD, 64 * 2**20)  # twice the other threshold, its rule
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
