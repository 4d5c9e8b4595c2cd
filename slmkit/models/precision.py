"""Whether training computes in bfloat16: if the GPU or CPU has instructions for it.

This depends on the machine and the model, never on a timing, so the same command on the same machine trains the same
weights.
"""

from __future__ import annotations

from typing import Any

# On such a CPU, forward and backward of the bundled tiny (width 256) took 0.46 of the time of float32. At width 128,
# as in nano, the casts cost about as much as the products save.
_MIN_WIDTH = 256


def in_bfloat16(model: Any, dtype: str = "auto") -> bool:
    """Whether autocast computes products in bfloat16; on a CPU only if `dtype` is "auto"."""
    import torch

    if model.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return _is_automatic(model, dtype) and cpu_supports_bfloat16() and _width(model) >= _MIN_WIDTH


def why(model: Any, dtype: str) -> str:
    """A note on the automatic choice on a CPU; "" if there was none."""
    if model.device.type == "cuda" or not _is_automatic(model, dtype):
        return ""
    if in_bfloat16(model, dtype):
        return "computing in bfloat16: this CPU has instructions for it"
    reason = "the model is too narrow to gain" if cpu_supports_bfloat16() else "this CPU has no bfloat16 instructions"
    return f"computing in float32: {reason}"


def cpu_supports_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16 matrix products."""
    import torch

    return any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


def _width(model: Any) -> int:
    return int(model.config.get_text_config().hidden_size)


def _is_automatic(model: Any, dtype: str) -> bool:
    """Whether the dtype is chosen automatically: 4-bit weights have a compute dtype of their own."""
    return dtype == "auto" and not getattr(model, "is_loaded_in_4bit", False)
