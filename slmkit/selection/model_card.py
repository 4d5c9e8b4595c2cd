"""Model cards: facts about a base model, one YAML file per model, and its parameter count computed from its shape.

A card states only what its `sources` say. A missing key means unknown, and unknown never counts as yes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from slmkit.errors import SlmkitError
from slmkit.files import PACKAGE
from slmkit.weights.packaged_model import PackagedModel, read_package

_SHAPE = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim",
          "intermediate_size", "vocab_size", "tie_word_embeddings")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Card:
    """One model of configs/models; keys are named as in its config.json if it has them."""

    name: str
    hub_id: str | None = None
    asset: str | None = None  # a folder of this package instead of a hub id; an absolute path: the user's own
    architecture: Literal["decoder", "hybrid", "encoder", "encoder-decoder"] = "decoder"
    role: Literal["base", "instruct"] | None = None
    pair: str | None = None  # the card of its base or instruct version
    model_type: str | None = None
    parameters: int | None = None  # as published; `num_parameters` also computes it
    num_hidden_layers: int | None = None
    hidden_size: int | None = None
    num_attention_heads: int | None = None
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    intermediate_size: int | None = None
    vocab_size: int | None = None  # rows of the embedding, padding included
    tie_word_embeddings: bool | None = None
    context_length: int | None = None
    sliding_window: int | None = None  # tokens that the layers without full attention see
    full_attention_layers: int | None = None  # None: all
    conv_kernel: int | None = None  # of the convolution layers of a hybrid
    licence: str | None = None  # an SPDX identifier, or LicenseRef-… if SPDX does not list it
    commercial: Literal["yes", "conditions", "no"] | None = None
    forbids: str | None = None
    languages: tuple[str, ...] | None = None  # two-letter codes
    released: str | None = None  # YYYY, YYYY-MM or YYYY-MM-DD
    template: str | None = None  # chat template family, named as LLaMA-Factory does
    thinking: Literal["none", "optional", "always"] | None = None
    gated: bool | None = None
    gguf: bool | None = None  # llama.cpp runs this architecture
    package: PackagedModel | None = None  # of a package index, for machines without a hub
    sources: tuple[str, ...] = ()
    date_read: str | None = None

    @property
    def folder(self) -> Path | None:
        """The folder of a bundled or own model, or its GGUF file."""
        return PACKAGE / self.asset if self.asset else None

    @property
    def is_bundled(self) -> bool:
        """Whether the model ships with slmkit."""
        return self.asset is not None and not Path(self.asset).is_absolute()

    @cached_property
    def num_parameters(self) -> int | None:
        """As published, otherwise computed from the shape; None if neither is known."""
        return self.parameters or count_parameters(self)

    @property
    def has_shape(self) -> bool:
        """Whether memory and speed can be computed."""
        return all(getattr(self, key) is not None for key in _SHAPE)

    @property
    def attention_layers(self) -> int:
        """The number of layers with a key-value cache, of all tokens or of a window."""
        assert self.num_hidden_layers is not None
        if self.architecture == "hybrid" and self.full_attention_layers is not None:
            return self.full_attention_layers
        return self.num_hidden_layers


def read_cards(folder: Path) -> list[Card]:
    """The cards in a folder, sorted by file name. Raises SlmkitError with the file and the wrong key."""
    return [read_card(path) for path in sorted(folder.glob("*.yaml"))]


def read_card(path: Path) -> Card:
    """One card; the shape of a bundled model is read from its config.json."""
    return _parse(path.read_text(encoding="utf-8"), path)


@lru_cache(maxsize=512)
def _parse(text: str, path: Path) -> Card:
    """Cached: 90 cards take 0.3 s, and `pick` reads them twice."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        values = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise SlmkitError(f"not valid YAML: {error}", where=str(path)) from None
    known = {field.name for field in fields(Card)}
    for key in values:
        if key not in known:
            raise SlmkitError(
                f"unknown key {key!r} in a model card", where=str(path), fix=f"use one of {', '.join(known)}"
            )
    for key in ("languages", "sources"):
        if key in values:
            values[key] = tuple(values[key])
    if "package" in values:
        values["package"] = read_package(values["package"], where=str(path))
    if values.get("asset"):
        values = {**_shape_of_asset(PACKAGE / values["asset"]), **values}
    return Card(**values)


def _shape_of_asset(folder: Path) -> dict[str, Any]:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return {key: config[key] for key in (*_SHAPE, "model_type")}


@dataclass(frozen=True)
class _Traits:
    """What a layer of this model type has besides its weight matrices."""

    norms: int = 2  # per layer
    norm_bias: bool = False  # LayerNorm rather than RMSNorm
    qkv_bias: bool = False
    bias: bool = False  # on the other matrices of a layer
    gated: bool = True  # the MLP has three matrices
    qk_norm: Literal["", "head", "all"] = ""  # one norm over each head, or over all heads together
    head_bias: bool = False


_TRAITS = {
    **dict.fromkeys(("llama", "mistral", "smollm3", "granite", "phi3"), _Traits()),
    "qwen2": _Traits(qkv_bias=True),
    "qwen3": _Traits(qk_norm="head"),
    "gemma2": _Traits(norms=4),
    "gemma3_text": _Traits(norms=4, qk_norm="head"),
    "olmo2": _Traits(qk_norm="all"),
    "stablelm": _Traits(norm_bias=True),
    "gpt_neox": _Traits(norm_bias=True, qkv_bias=True, bias=True, gated=False),
    "phi": _Traits(norms=1, norm_bias=True, qkv_bias=True, bias=True, gated=False, head_bias=True),
    "lfm2": _Traits(qk_norm="head"),
}


def count_parameters(card: Card) -> int | None:
    """The number of weights by the shape, shared ones counted once; None if the shape is unknown.

    Embedding V * D, again for an untied head; per layer attention D * C * (2 * H + 2 * K), MLP 3 * D * I (2 * D * I if
    not gated), norms and biases.
    Example: SmolLM2-135M: 49152 * 576 + 30 * (576 * 64 * 24 + 3 * 576 * 1536 + 2 * 576) + 576 = 134,515,008.
    Source: the modules of huggingface/transformers, which tests/selection/test_model_card.py builds and counts.
    """
    traits = _TRAITS.get(card.model_type or "")
    if traits is None or not card.has_shape:
        return None
    layers, D, H, K, C, I, V = (getattr(card, key) for key in _SHAPE[:7])  # noqa: E741
    vector = 2 * D if traits.norm_bias else D  # weights of one norm
    attention = D * C * (2 * H + 2 * K)
    attention += (H + 2 * K) * C if traits.qkv_bias else 0
    attention += D if traits.bias else 0
    attention += {"": 0, "head": 2 * C, "all": (H + K) * C}[traits.qk_norm]
    mlp = (3 if traits.gated else 2) * D * I + (I + D if traits.bias else 0)
    total = V * D + card.attention_layers * attention + layers * (mlp + traits.norms * vector) + vector
    total += (layers - card.attention_layers) * D * (4 * D + (card.conv_kernel or 0))  # in, out and convolution
    if not card.tie_word_embeddings:
        total += V * D + (V if traits.head_bias else 0)
    return int(total)
