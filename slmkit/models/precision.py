"""Whether products are worked out in bfloat16: where the hardware has instructions for it, on a GPU or a CPU.

A fact of the machine and of the model, never a timing: the same command on the same machine trains the same weights.
"""

from __future__ import annotations

from typing import Any

# Forward and backward of the embedded tiny, width 256, took 0.46 of the time of float32 on such a CPU. At nano's width
# of 128 the casts cost about what the products save.
_LEAST_WIDTH = 256


def in_bfloat16(model: Any, dtype: str = "auto") -> bool:
    """Whether products are worked out in bfloat16 by autocast; on a CPU only where `dtype` leaves it open."""
    import torch

    if model.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return _is_open(model, dtype) and has_instructions() and _width(model) >= _LEAST_WIDTH


def why(model: Any, dtype: str) -> str:
    """The line that says what was chosen on a CPU, or "" where nothing was."""
    if model.device.type == "cuda" or not _is_open(model, dtype):
        return ""
    if in_bfloat16(model, dtype):
        return "products in bfloat16: this CPU has instructions for it"
    reason = "the model is narrow" if has_instructions() else "this CPU has no instructions for bfloat16"
    return f"products in float32: {reason}"


def has_instructions() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 by instructions of its own."""
    import torch

    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


def _width(model: Any) -> int:
    return int(model.config.get_text_config().hidden_size)


def _is_open(model: Any, dtype: str) -> bool:
    """Whether nobody has settled it: the recipe, or 4-bit weights, which compute in what they were loaded for."""
    return dtype == "auto" and not getattr(model, "is_loaded_in_4bit", False)
