"""The memory for inference and training, in bytes, computed from a model card before anything is loaded.

models/memory.py does the same for a loaded model. Symbols: D width, H heads, K key-value heads,
C head width, I MLP width, V vocabulary, L layers, T tokens, B rows, r rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slmkit.selection.model_card import Card

Precision = Literal["float32", "bfloat16", "nf4"]
Method = Literal["lora", "qlora", "full"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "nf4")
METHODS: tuple[Method, ...] = ("lora", "qlora", "full")

# 4 bits, plus 0.127 for block constants, which are quantised too: Dettmers et al. 2023,
# https://arxiv.org/abs/2305.14314, section 3.
_NF4_BYTES = (4 + 0.127) / 8
_LARGEST_IN_HEAP = 32 * 2**20  # bytes: glibc's DEFAULT_MMAP_THRESHOLD_MAX, malloc(3); free returns larger blocks
_FUSED_QKV = ("gpt_neox", "phi3")
_UNGATED = ("gpt_neox", "phi")


@dataclass(frozen=True)
class Footprint:
    """Memory in bytes, by purpose."""

    weights: int
    states: int = 0  # gradients and the two moments of AdamW
    activations: int = 0  # kept for backward
    logits: int = 0
    cache: int = 0  # keys and values
    heap: int = 0  # on a CPU: freed blocks that malloc keeps

    @property
    def total(self) -> int:
        return self.weights + self.states + self.activations + self.logits + self.cache + self.heap


def answering(card: Card, *, context_length: int, batch_size: int = 1, precision: Precision = "bfloat16") -> Footprint:
    """Weights, and the key-value cache of batch_size rows of context_length tokens."""
    bytes_per_value = 4 if precision == "float32" else 2
    cache = kv_cache_bytes(card, context_length=context_length, batch_size=batch_size, bytes_per_value=bytes_per_value)
    return Footprint(weights_bytes(card, precision), cache=cache)


def training(
    card: Card,
    *,
    method: Method = "lora",
    max_length: int,
    batch_size: int = 1,
    gradient_checkpointing: bool = True,
    precision: Literal["float32", "bfloat16"] = "bfloat16",
    r: int = 16,
    loss_share: float = 0.5,
    on_cpu: bool = False,
) -> Footprint:
    """The peak of a training step on batch_size rows of max_length tokens, at the start of the backward pass.

    A trained weight needs 12 bytes for its gradient and AdamW's two moments in float32, besides the weight itself. The
    weights of an adapter are float32; full training in bfloat16 is mixed precision with float32 master weights.
    Logits: three float32 copies (logits, log-probabilities, their gradient) for the tokens with a label, a fraction
    loss_share of all; slmkit's trainer computes no others.
    on_cpu: glibc's heap is fragmented by freed blocks, and shrinks only at its end. By malloc's own count (mallinfo2)
    the fragmentation after a step or two is about as large as all that a step keeps in the heap, 0.6 to 1.6 times;
    blocks of 32 MiB and more come from mmap and leave none. With gradient checkpointing, 250 to 300 MB were measured
    and 60 to 100 MB predicted: see benchmarks/memory.md. With MALLOC_MMAP_THRESHOLD_=65536 there was none, so thread
    arenas and library workspaces are not the cause.
    Source: Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054, section 3.1.
    """
    tokens = max_length * batch_size
    bytes_per_value = 4 if precision == "float32" else 2
    if method == "full":
        weights, states = 4 * _parameters(card), 12 * _parameters(card)
    else:
        adapter = lora_parameters(card, r)
        weights = weights_bytes(card, "nf4" if method == "qlora" else precision) + 4 * adapter
        states = 12 * adapter
    layer = bytes_per_value * activation_values(card, method=method, r=r)
    assert card.num_hidden_layers and card.hidden_size and card.vocab_size
    kept = card.num_hidden_layers * layer
    if gradient_checkpointing:
        kept = card.num_hidden_layers * bytes_per_value * card.hidden_size + layer
    logits = 3 * 4 * card.vocab_size
    activations, all_logits = int(tokens * kept), int(tokens * loss_share * logits)
    heap = 0
    if on_cpu:
        heap = activations + (all_logits if tokens * loss_share * 4 * card.vocab_size < _LARGEST_IN_HEAP else 0)
    return Footprint(weights, states, activations, all_logits, heap=heap)


def weights_bytes(card: Card, precision: Precision) -> int:
    """All weights; nf4 keeps the embedding, the output head and the norms in bfloat16, as bitsandbytes does.

    Example: SmolLM2-135M in bfloat16: 2 * 134,515,008 = 269 MB.
    """
    if precision != "nf4":
        return _parameters(card) * (4 if precision == "float32" else 2)
    matrices = sum(rows * columns for rows, columns in _matrices(card))
    return int(matrices * _NF4_BYTES + 2 * (_parameters(card) - matrices))


def kv_cache_bytes(card: Card, *, context_length: int, batch_size: int = 1, bytes_per_value: int = 2) -> int:
    """Keys and values: 2 * K * C per token, row and layer; a layer with a sliding window keeps at most the window.

    Example: 30 layers, K=3, C=64, T=4096 in bfloat16 -> 94,371,840 (90 MiB).
    Source: Ainslie et al. 2023, https://arxiv.org/abs/2305.13245; windows: Beltagy et al. 2020, 2004.05150.
    """
    assert card.num_key_value_heads and card.head_dim
    whole = card.attention_layers if card.full_attention_layers is None else card.full_attention_layers
    windowed = card.attention_layers - whole
    tokens = whole * context_length + windowed * min(context_length, card.sliding_window or context_length)
    return 2 * card.num_key_value_heads * card.head_dim * tokens * batch_size * bytes_per_value


def lora_parameters(card: Card, r: int = 16) -> int:
    """Weights of an adapter of rank r on every matrix except embedding and head: r * (rows + columns) each.

    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.1.
    """
    return sum(r * (rows + columns) for rows, columns in _matrices(card))


def activation_values(card: Card, *, method: Method, r: int = 16) -> int:
    """Values per token that one layer keeps for the backward pass, if attention does not keep its H * T scores.

    The two inputs of the norms and their two outputs: 4 D (6 where the norms train). Queries, keys and values as the
    attention reads them, and its output: C * (2 H + 2 K). Gate, its activation, up, their product: 4 I. An adapter
    keeps r per matrix. torch's profiler shows these tensors, and no others of their size, at the peak of a step of the
    135M shape.
    Source: the terms of Korthikanti et al. 2022, https://arxiv.org/abs/2205.05198, section 4.1, for today's layers.
    """
    assert card.hidden_size and card.num_attention_heads and card.num_key_value_heads
    assert card.head_dim and card.intermediate_size and card.num_hidden_layers
    norms = 6 if method == "full" else 4
    attention = card.head_dim * (2 * card.num_attention_heads + 2 * card.num_key_value_heads)
    mlp = (2 if card.model_type in _UNGATED else 4) * card.intermediate_size
    adapter = 0 if method == "full" else r * len(_matrices(card)) // card.num_hidden_layers
    return norms * card.hidden_size + attention + mlp + adapter


def _parameters(card: Card) -> int:
    assert card.num_parameters is not None
    return card.num_parameters


def _matrices(card: Card) -> list[tuple[int, int]]:
    """Rows and columns of every weight matrix in the layers."""
    assert card.hidden_size and card.num_attention_heads and card.num_key_value_heads
    assert card.head_dim and card.intermediate_size and card.num_hidden_layers
    D, I = card.hidden_size, card.intermediate_size  # noqa: E741
    queries, keys = card.num_attention_heads * card.head_dim, card.num_key_value_heads * card.head_dim
    projections = [(queries + 2 * keys, D)] if card.model_type in _FUSED_QKV else [(queries, D), (keys, D), (keys, D)]
    attention = [*projections, (D, queries)]
    mlp = [(I, D), (D, I)] if card.model_type in _UNGATED else [(I, D), (I, D), (D, I)]
    if card.model_type == "phi3":
        mlp = [(2 * I, D), (D, I)]
    convolution = [(3 * D, D), (D, D)]
    others = card.num_hidden_layers - card.attention_layers
    return attention * card.attention_layers + convolution * others + mlp * card.num_hidden_layers
