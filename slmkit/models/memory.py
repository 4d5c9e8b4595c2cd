"""The memory that training needs and the machine has, in bytes, before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import RefusedError

if TYPE_CHECKING:
    import torch

_SMALL = 20e6  # parameters below which a CPU's time goes to Python and memory rather than to matrix products
_M_ARENA_MAX = -8  # of glibc's malloc.h
_WORKER_BYTES = 2**28  # the most that the gradients of one worker may take
_USABLE = 0.85  # of the free memory; the rest is for fragmentation, the tokenizer, other processes


@dataclass(frozen=True)
class MicroBatch:
    """The size of a micro-batch, its fixed cost in tokens' worth of work, and whether activations are recomputed."""

    max_tokens: int
    overhead_tokens: int
    gradient_checkpointing: bool
    reason: str
    workers: int = 1  # micro-batches that are computed side by side, each on its share of the cores


def plan_micro_batch(
    model: Any,
    *,
    longest: int,
    labelled_share: float = 0.5,
    gradient_checkpointing: bool | Literal["auto"] = "auto",
) -> MicroBatch:
    """The micro-batch for this model on its device; gradient_checkpointing "auto": only where memory requires it.

    The weights are already loaded. Counted per trainable weight: its gradient and AdamW's two moments in float32 (12
    bytes). Per token and layer: activations for backward, about 16 values of the model's width and 6 of the MLP's, or
    with recomputing one value of the width. Per labelled token: three copies of the logits in float32.
    Raises: RefusedError if not even one row of `longest` tokens fits.
    """
    config, device = model.config.get_text_config(), model.device
    width, layers = config.hidden_size, config.num_hidden_layers
    inner = getattr(config, "intermediate_size", None) or 4 * width
    num_params = sum(parameter.numel() for parameter in model.parameters())
    states = 12 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    bytes_per_value = 2 if model.dtype.itemsize == 2 else 4
    one_layer = bytes_per_value * (16 * width + 6 * inner)
    logits = int(3 * 4 * config.vocab_size * labelled_share)
    stored = layers * one_layer + logits
    recomputed = layers * bytes_per_value * width + one_layer + logits
    free = int(available_bytes(device) * _USABLE) - states
    useful = _useful_tokens(num_params, device)
    workers = _num_workers(model, trainable_bytes=states // 3)

    def tokens_that_fit(bytes_per_token: int) -> int:
        return int(max(0, free) // bytes_per_token)

    if gradient_checkpointing == "auto":
        gradient_checkpointing = tokens_that_fit(stored) < max(longest, min(useful, 512))
    bytes_per_token = recomputed if gradient_checkpointing else stored
    fits = tokens_that_fit(bytes_per_token)
    if fits < longest:
        needed = states + longest * bytes_per_token
        raise RefusedError(
            f"training needs about {needed / 2**30:.1f} GiB besides the weights; "
            f"{available_bytes(device) / 2**30:.1f} GiB are free",
            where=f"one row of {longest:,} tokens, {num_params / 1e6:,.0f} M parameters",
            fix="adapter: qlora, a smaller max_length, or a smaller model",
        )
    if gradient_checkpointing:  # its backward pass draws and restores random states, which threads share
        workers = 1
    gradients = states // 3 // max(1, bytes_per_token)  # of each further worker, in tokens' worth of memory
    while workers > 1 and (fits - (workers - 1) * gradients) // workers < longest:
        workers -= 1
    fits = (fits - (workers - 1) * gradients) // workers
    max_tokens = max(longest, min(useful, fits))
    # One more forward and backward costs about 10 ms of Python on a CPU with 2e11 operations per second, or 20 ms on a
    # GPU with 1e14; a token costs 6 operations per parameter. A CPU also reads weights that no cache holds once more:
    # SmolLM2-135M, one AVX2 core, micro-batches of 105, 210 and 420 tokens: 86, 95 and 106 tokens/s.
    overhead = (20e-3 * 1e14 if device.type == "cuda" else 10e-3 * 2e11) / (6 * num_params)
    overhead += 24 if device.type == "cpu" and num_params >= _SMALL else 0
    limit = "the most that fits in memory" if max_tokens == fits else "larger ones are no faster here"
    recompute = ", with activations recomputed in the backward pass" if gradient_checkpointing else ""
    beside = f", {workers} side by side" if workers > 1 else ""
    reason = f"micro-batches of up to {max_tokens:,} tokens{beside}: {limit}{recompute}"
    return MicroBatch(max_tokens, max(1, int(overhead)), gradient_checkpointing, reason, workers)


def available_bytes(device: torch.device) -> int:
    """Free memory of the GPU, or of the machine."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def share_heap() -> None:
    """Lets all threads of the process share one heap of glibc, where each would keep the most it ever used.

    Only before a second thread has allocated. Two threads that train SmolLM2-135M side by side: 2.6 to 3.1 GiB at the
    peak instead of 3.3 to 4.6. Threads that allocate often wait for each other: tokenizing 200,000 rows takes twice as
    long.
    """
    import ctypes

    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)


def release_heap() -> None:
    """Returns the freed memory that glibc holds to the machine, so that the next peak is measured correctly."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def computes_side_by_side(model: Any) -> bool:
    """Whether a CPU's cores are better used by a micro-batch each than by all working on one.

    Not where Python's own work is a large part (small models), nor on 4-bit weights, which are unpacked anew for each
    micro-batch.
    """
    if model.device.type != "cpu" or getattr(model, "is_loaded_in_4bit", False):
        return False
    return bool(sum(parameter.numel() for parameter in model.parameters()) >= _SMALL)


def _num_workers(model: Any, *, trainable_bytes: int) -> int:
    """The micro-batches that are computed side by side: one per core that torch uses.

    One if the gradients, of which each worker has its own, would take much memory.
    """
    import torch

    is_useful = computes_side_by_side(model) and trainable_bytes <= _WORKER_BYTES
    return int(torch.get_num_threads()) if is_useful else 1


def _useful_tokens(num_params: int, device: torch.device) -> int:
    """The size beyond which a larger micro-batch is no faster: a CPU's caches are full, a GPU is fully used."""
    if device.type == "cuda":
        return 16_384
    return 4_096 if num_params < _SMALL else 512
