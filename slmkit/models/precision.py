"""Whether products are worked out in bfloat16: by the hardware on a GPU, by a measurement on a CPU."""

from __future__ import annotations

import functools
import time
from typing import Any

_WORTH = 1.3  # times as fast as float32: less is not worth the rounding


def in_bfloat16(model: Any, dtype: str = "auto") -> bool:
    """Whether products are worked out in bfloat16 by autocast; on a CPU only where `dtype` leaves it open."""
    import torch

    if model.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return _is_open(model, dtype) and cpu_gain(_width(model)) >= _WORTH


def why(model: Any, dtype: str) -> str:
    """The line that says what was chosen on a CPU, or "" where nothing was."""
    if model.device.type == "cuda" or not _is_open(model, dtype):
        return ""
    gain, chosen = cpu_gain(_width(model)), "bfloat16" if in_bfloat16(model, dtype) else "float32"
    return f"products in {chosen}: bfloat16 takes {1 / gain:.0%} of the time of float32 on this CPU, at this width"


@functools.cache
def cpu_gain(width: int) -> float:
    """How many times as fast a linear layer of this width is in bfloat16, forward and backward, best of five."""
    import torch
    from torch.nn import functional as F

    source = torch.Generator().manual_seed(0)  # of its own: training's random numbers must not hang on this
    x = torch.randn(1024, width, generator=source, requires_grad=True)
    weight = torch.randn(3 * width, width, generator=source, requires_grad=True)

    def seconds(in_bfloat16: bool) -> float:
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
                y = F.linear(x, weight)
            y.backward(torch.ones_like(y))  # type: ignore[no-untyped-call]
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(False) / seconds(True)


def _width(model: Any) -> int:
    return int(model.config.get_text_config().hidden_size)


def _is_open(model: Any, dtype: str) -> bool:
    """Whether nobody has settled it: the recipe, or 4-bit weights, which compute in what they were loaded for."""
    return dtype == "auto" and not getattr(model, "is_loaded_in_4bit", False)
