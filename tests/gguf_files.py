"""Writes the bundled nano model as a GGUF file, for tests that read one."""

from __future__ import annotations

import json
from pathlib import Path

from project_files import REPOSITORY

NANO = REPOSITORY / "slmkit" / "assets" / "nano"
_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_nano_gguf(path: Path, *, architecture: str = "llama", split: str = "gpt-2", quantized: bool = False) -> Path:
    """nano in F16, or in Q8_0; `architecture` and `split` are what the header says."""
    import gguf
    import numpy as np
    from safetensors.numpy import load_file

    config = json.loads((NANO / "config.json").read_text(encoding="utf-8"))
    tokenizer = json.loads((NANO / "tokenizer.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("nano")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantized else gguf.LlamaFileType.MOSTLY_F16)
    special = {row["content"]: row["special"] for row in tokenizer["added_tokens"]}
    ids = tokenizer["model"]["vocab"] | {row["content"]: row["id"] for row in tokenizer["added_tokens"]}
    tokens = sorted(ids, key=lambda token: ids[token])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(split)
    writer.add_token_list(tokens)
    writer.add_token_types([{True: 3, False: 4, None: 1}[special.get(token)] for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((NANO / "chat_template.jinja").read_text(encoding="utf-8"))
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, weights in load_file(NANO / "model.safetensors").items():
        found = _gguf_name(name)
        num_heads = next((count for projection, count in heads.items() if projection in name), 0)
        values = weights
        if num_heads:  # llama.cpp pairs the halves of each head for its rotary embedding
            halves = weights.reshape(num_heads, 2, -1, weights.shape[1])
            values = halves.swapaxes(1, 2).reshape(weights.shape)
        if values.ndim == 1:
            writer.add_tensor(found, values.astype(np.float32))
        elif quantized and values.shape[-1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(found, gguf.quantize(values.astype(np.float32), kind), raw_dtype=kind)
        else:
            writer.add_tensor(found, np.ascontiguousarray(values.astype(np.float16)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _gguf_name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{_NAMES[rest.removesuffix('.weight')]}.weight"
