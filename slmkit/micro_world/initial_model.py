"""The model that pretraining on the micro-world starts from: new, or an earlier one with rows for the chat marks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from slmkit.models.load import load_model
from slmkit.types import ModelRef

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

_EMBEDDING_STD = 0.2  # embeddings must start larger than a layer's output, or the model does not learn to copy
_SIMILAR_TEXT = {
    "<|user|>": "\n q:", "<|assistant|>": "\n a:", "<|system|>": "\n", "<|tool|>": "\n tool:",
    "<think>": ".", "</think>": ". so",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a Llama model; input and output embeddings are tied."""

    hidden_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    intermediate_size: int = 344


def initial_model(model: ModelRef | None, shape: Shape | None) -> tuple[LlamaForCausalLM, Any]:
    """A network and its tokenizer: those of `model`, with its chat marks initialized, or a new network of `shape`."""
    if model:
        loaded = load_model(model, device="cpu", dtype="float32")
        _initialize_chat_marks(loaded.model, loaded.tokenizer)
        return loaded.model, loaded.tokenizer
    return _new_model(shape or Shape())


def _new_model(shape: Shape) -> tuple[LlamaForCausalLM, Any]:
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    from slmkit.micro_world.tokenizer import CONTEXT_LENGTH, tokenizer

    new_tokenizer = tokenizer()
    special_ids = {name: getattr(new_tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    config = LlamaConfig(
        vocab_size=len(new_tokenizer),
        max_position_embeddings=CONTEXT_LENGTH,
        tie_word_embeddings=True,
        **asdict(shape),
        **special_ids,
    )
    network = LlamaForCausalLM(config)
    network.generation_config = GenerationConfig(**special_ids)
    with torch.no_grad():
        network.model.embed_tokens.weight.normal_(0, _EMBEDDING_STD)
    return network, new_tokenizer


def _initialize_chat_marks(network: LlamaForCausalLM, tokenizer: Any) -> None:
    """Sets the embedding of each chat mark to the mean of the tokens with the same role in the base model's text."""
    import torch

    embeddings = network.get_input_embeddings().weight
    with torch.no_grad():
        for mark, text in _SIMILAR_TEXT.items():
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            embeddings[tokenizer.convert_tokens_to_ids(mark)] = embeddings[ids].mean(0)
