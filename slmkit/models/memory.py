"""What training will need and what the machine has, in bytes, before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import RefusedError

if TYPE_CHECKING:
    import torch

_USABLE = 0.85  # of what is free: the rest is fragmentation, the tokenizer, the other processes


@dataclass(frozen=True)
class Plan:
    """A micro-batch: its most tokens, what one more costs in tokens, and whether activations are recomputed."""

    max_tokens: int
    overhead_tokens: int
    gradient_checkpointing: bool
    reason: str


def plan(
    model: Any,
    *,
    longest: int,
    labelled_share: float = 0.5,
    gradient_checkpointing: bool | Literal["auto"] = "auto",
) -> Plan:
    """The micro-batch for this model on its device; gradient_checkpointing "auto": only where memory asks for it.

    Counted: the weights are loaded already; gradients and AdamW's two moments in float32 for each trainable weight (12
    bytes); activations kept for backward, per token and layer about 16 values of the model's width and 6 of the
    MLP's, or, recomputed, one of the width; logits of the labelled tokens, three copies in float32.
    Raises: RefusedError where one row of `longest` tokens does not fit even so.
    """
    config, device = model.config.get_text_config(), model.device
    width, layers = config.hidden_size, config.num_hidden_layers
    inner = getattr(config, "intermediate_size", None) or 4 * width
    num_params = sum(parameter.numel() for parameter in model.parameters())
    states = 12 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    bytes_per_value = 2 if model.dtype.itemsize == 2 else 4
    one_layer = bytes_per_value * (16 * width + 6 * inner)
    logits = int(3 * 4 * config.vocab_size * labelled_share)
    kept = layers * one_layer + logits
    recomputed = layers * bytes_per_value * width + one_layer + logits
    free = int(available_bytes(device) * _USABLE) - states
    wanted = _wanted_tokens(num_params, device)

    def most(per_token: int) -> int:
        return int(max(0, free) // per_token)

    if gradient_checkpointing == "auto":
        gradient_checkpointing = most(kept) < max(longest, min(wanted, 512))
    fits = most(recomputed if gradient_checkpointing else kept)
    if fits < longest:
        needed = states + longest * (recomputed if gradient_checkpointing else kept)
        raise RefusedError(
            f"training needs about {needed / 2**30:.1f} GiB beside the weights, "
            f"{available_bytes(device) / 2**30:.1f} GiB is free",
            where=f"one row of {longest:,} tokens, {num_params / 1e6:,.0f} M parameters",
            fix="adapter: qlora, a smaller max_length, or a smaller model",
        )
    max_tokens = max(longest, min(wanted, fits))
    # One more forward and backward costs about 10 ms of Python on a CPU of 2e11 operations a second, or 20 ms on a GPU
    # of 1e14; a token costs 6 operations for each parameter.
    overhead = (20e-3 * 1e14 if device.type == "cuda" else 10e-3 * 2e11) / (6 * num_params)
    why = "what fits in memory" if max_tokens == fits else "more at once is no faster here"
    recompute = ", activations recomputed in backward to fit" if gradient_checkpointing else ""
    reason = f"micro-batches of up to {max_tokens:,} tokens: {why}{recompute}"
    return Plan(max_tokens, max(1, int(overhead)), gradient_checkpointing, reason)


def available_bytes(device: torch.device) -> int:
    """Free memory of a GPU, or of this machine."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def release_heap() -> None:
    """Gives what glibc keeps of freed memory back to the machine, so that a peak is what is measured next."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _wanted_tokens(num_params: int, device: torch.device) -> int:
    """Beyond this a bigger micro-batch is no faster: caches fill up on a CPU, a GPU is busy."""
    if device.type == "cuda":
        return 16_384
    return 4_096 if num_params < 20e6 else 1_024
