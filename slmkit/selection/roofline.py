"""Bounds from a GPU's data sheet, not forecasts: the highest decoding speed, and the time of a fine-tune.

Source: Williams, Waterman and Patterson 2009, https://doi.org/10.1145/1498765.1498785: time is limited by arithmetic
or by memory traffic, whichever takes longer.
"""

from __future__ import annotations

from dataclasses import dataclass

from slmkit.selection.footprint import Method, Precision, kv_cache_bytes, weights_bytes
from slmkit.selection.model_card import Card

ASSUMED_SHARE = 0.4  # of peak arithmetic that training reaches: an assumption, not a measurement


@dataclass(frozen=True)
class Gpu:
    """A GPU by its data sheet."""

    memory_gb: float
    bandwidth_gb: float  # per second
    tflops: float  # dense, 16 bit


# Source: https://github.com/cli99/llm-analysis/tree/d841e40a/llm_analysis/gpu_configs; the T4's:
# https://sysrqmts.com/pt/gpus/compare/nvidia-geforce-rtx-3050-8-gb-vs-nvidia-tesla-t4. Read 2026-11-22.
GPUS = {
    "t4": Gpu(16, 320, 65.1),
    "v100-16gb": Gpu(16, 900, 112),
    "a10g": Gpu(24, 600, 70),
    "a6000": Gpu(48, 768, 154.8),
    "a100-40gb": Gpu(40, 1555, 312),
    "a100-80gb": Gpu(80, 2039, 312),
    "h100-80gb": Gpu(80, 3350, 989),
}


def decode_tokens_per_second(
    card: Card, gpu: Gpu, *, context_length: int, batch_size: int = 1, precision: Precision = "bfloat16"
) -> float:
    """The upper bound of tokens per second, over all batch_size rows.

    Each step reads all weights and the cache once, and computes 2 * N operations per row.
    Example: 134,515,008 weights in bfloat16 on an A10G, a short context: 600e9 / 269e6 = 2,230 tokens per second.
    """
    assert card.num_parameters is not None
    cache = kv_cache_bytes(card, context_length=context_length, batch_size=batch_size)
    reading = (weights_bytes(card, precision) + cache) / (gpu.bandwidth_gb * 1e9)
    computing = 2 * card.num_parameters * batch_size / (gpu.tflops * 1e12)
    return batch_size / max(reading, computing)


def training_hours(card: Card, gpu: Gpu, *, tokens: float, method: Method = "lora") -> float:
    """Hours to train on this number of tokens at ASSUMED_SHARE of the GPU's peak.

    Forward 2 N operations per token, backward 4 N; with an adapter 2 N, since frozen weights need no gradient.
    Example: 1.7e9 weights, 1e6 tokens, LoRA on an A10G: 4 * 1.7e9 * 1e6 / (0.4 * 70e12) = 243 s = 0.07 h.
    Source: Kaplan et al. 2020, https://arxiv.org/abs/2001.08361, section 2.1.
    """
    assert card.num_parameters is not None
    per_token = (6 if method == "full" else 4) * card.num_parameters
    return per_token * tokens / (ASSUMED_SHARE * gpu.tflops * 1e12) / 3600
