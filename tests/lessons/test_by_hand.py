"""What lessons compute by hand equals the library on shapes and words that the bundled model does not have."""

import pytest

from slmkit.lessons.bpe_thirty_lines import encode, learn
from slmkit.lessons.what_is_a_model import count_by_hand

SHAPE = {
    "vocab_size": 100, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("llama", {}),
        ("llama", {"attention_bias": True, "mlp_bias": True}),
        ("mistral", {}),
        ("qwen2", {}),
        ("qwen3", {"head_dim": 16}),
        ("smollm3", {}),
    ],
)
def test_parameters_counted_by_hand_equal_the_library_count(family: str, more: dict[str, object], tied: bool) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(family, **SHAPE, **more, tie_word_embeddings=tied)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert count_by_hand(config) == model.num_parameters()


def test_the_most_frequent_pair_is_merged_first() -> None:
    merges = learn({"hug": 10, "pug": 5, "hugs": 5}, 2)
    assert merges == [("u", "g"), ("h", "ug")]
    assert encode("hugpug", merges) == ["hug", "p", "ug"]
