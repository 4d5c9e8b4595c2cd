"""What transformers' import of a GGUF tokenizer leaves out: how the text is split before byte-pair merges.

A vocabulary learned on single digits gives other ids to "2024" if the digits are not split first.
Source: llm_tokenizer_bpe in https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp
"""

from __future__ import annotations

from typing import Any

from slmkit.weights.gguf_header import GgufHeader

# tokenizer.ggml.pre of vocabularies that split each digit off, then GPT-2's way
_SINGLE_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2")
_AS_GPT2 = ("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling")


def restore_tokenizer(tokenizer: Any, header: GgufHeader) -> list[str]:
    """Gives the tokenizer the split that the file names, and its context length; returns what is not certain."""
    if context := header.of_model("context_length"):
        tokenizer.model_max_length = int(context)
    if header.values.get("tokenizer.ggml.model") != "gpt2":
        return []
    split = str(header.values.get("tokenizer.ggml.pre", "default"))
    if split in _SINGLE_DIGITS:
        from tokenizers import pre_tokenizers

        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        return []
    if split in _AS_GPT2 or split in _splits_of_transformers():
        return []
    return [f"the file's way to split text, {split!r}, is not known here: some token ids may differ from llama.cpp's"]


def _splits_of_transformers() -> set[str]:
    """The names of splits that transformers restores on its own."""
    try:
        from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
    except ImportError:  # another version keeps them elsewhere
        return set()
    return set(GGUF_PRE_TOKENIZER_SPLITS)
