"""The memory that training needs and the machine has, in bytes, before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import RefusedError

if TYPE_CHECKING:
    import torch

_USABLE = 0.85  # of the free memory; the rest is for fragmentation, the tokenizer, other processes


@dataclass(frozen=True)
class MicroBatch:
    """The size of a micro-batch, its fixed cost in tokens' worth of work, and whether activations are recomputed."""

    max_tokens: int
    overhead_tokens: int
    gradient_checkpointing: bool
    reason: str


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
    max_tokens = max(longest, min(useful, fits))
    # One more forward and backward costs about 10 ms of Python on a CPU with 2e11 operations per second, or 20 ms on a
    # GPU with 1e14; a token costs 6 operations per parameter.
    overhead = (20e-3 * 1e14 if device.type == "cuda" else 10e-3 * 2e11) / (6 * num_params)
    limit = "the most that fits in memory" if max_tokens == fits else "larger ones are no faster here"
    recompute = ", with activations recomputed in the backward pass" if gradient_checkpointing else ""
    reason = f"micro-batches of up to {max_tokens:,} tokens: {limit}{recompute}"
    return MicroBatch(max_tokens, max(1, int(overhead)), gradient_checkpointing, reason)


def available_bytes(device: torch.device) -> int:
    """Free memory of the GPU, or of the machine."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def release_heap() -> None:
    """Returns the freed memory that glibc holds to the machine, so that the next peak is measured correctly."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _useful_tokens(num_params: int, device: torch.device) -> int:
    """The size beyond which a larger micro-batch is no faster: a CPU's caches are full, a GPU is fully used."""
    if device.type == "cuda":
        return 16_384
    return 4_096 if num_params < 20e6 else 1_024
