"""The memory and speed formulas agree with their worked examples, with autograd, and with each other."""

import pytest
from project_files import REPOSITORY

from slmkit.selection.footprint import answering, kv_cache_bytes, lora_parameters, training, weights_bytes
from slmkit.selection.model_card import read_card
from slmkit.selection.roofline import GPUS, decode_tokens_per_second, training_hours

SMALL = read_card(REPOSITORY / "configs/models/smollm2-135m.yaml")
LARGE = read_card(REPOSITORY / "configs/models/qwen3-4b.yaml")


def test_the_worked_examples_of_the_docstrings_hold() -> None:
    assert SMALL.num_parameters == 134_515_008
    assert weights_bytes(SMALL, "bfloat16") == 269_030_016
    assert kv_cache_bytes(SMALL, context_length=4096) == 94_371_840
    assert decode_tokens_per_second(SMALL, GPUS["a10g"], context_length=1) == pytest.approx(2230, rel=0.01)
    hours = training_hours(SMALL, GPUS["a10g"], tokens=1e6)
    assert hours == pytest.approx(4 * 134_515_008 * 1e6 / (0.4 * 70e12) / 3600)


def test_an_adapter_of_rank_16_has_the_weights_counted_by_hand() -> None:
    # A layer: q 576+576, k and v 192+576, o 576+576, gate and up 1536+576, down 576+1536.
    layer = 16 * (1152 + 768 + 768 + 1152 + 3 * 2112)
    assert lora_parameters(SMALL, 16) == 30 * layer


def test_four_bits_need_less_than_a_third_of_bfloat16_for_a_large_model() -> None:
    assert (
        weights_bytes(LARGE, "nf4") < weights_bytes(LARGE, "bfloat16") / 3 + 2 * LARGE.vocab_size * LARGE.hidden_size
    )


def test_training_needs_more_for_longer_rows_and_less_when_checkpointed() -> None:
    lengths = [training(LARGE, max_length=length).total for length in (256, 1024, 4096)]
    assert lengths == sorted(lengths)
    plain = training(LARGE, max_length=1024, gradient_checkpointing=False)
    assert training(LARGE, max_length=1024).activations < plain.activations / 5
    assert plain.total < training(LARGE, method="full", max_length=1024, gradient_checkpointing=False).total


def test_a_window_bounds_the_cache() -> None:
    card = read_card(REPOSITORY / "configs/models/gemma-3-1b-it.yaml")
    short, long = (kv_cache_bytes(card, context_length=length) for length in (8192, 16384))
    assert long - short == 2 * 1 * 256 * 4 * 8192 * 2  # only its four global layers grow


def test_answering_is_weights_and_cache() -> None:
    found = answering(SMALL, context_length=100, batch_size=3)
    assert found.total == weights_bytes(SMALL, "bfloat16") + 3 * kv_cache_bytes(SMALL, context_length=100)


def test_the_activations_of_a_lora_step_are_predicted() -> None:
    """Compared with the tensors that autograd saves in one forward pass: each storage once, without weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from slmkit.models.lora import Lora, attach
    from slmkit.selection.footprint import activation_values
    from slmkit.selection.model_card import Card

    shape = {
        "num_hidden_layers": 3, "hidden_size": 96, "num_attention_heads": 6, "num_key_value_heads": 2,
        "head_dim": 16, "intermediate_size": 256, "vocab_size": 300, "tie_word_embeddings": True,
    }  # fmt: skip
    model = attach(LlamaForCausalLM(LlamaConfig(**shape)), Lora(), adapter="lora", seed=0)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.dtype == torch.float32:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    input_ids = torch.randint(0, 300, (2, 64))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden = model.base_model.model.model(input_ids, use_cache=False).last_hidden_state
    predicted = 4 * 3 * 2 * 64 * activation_values(Card(name="x", model_type="llama", **shape), method="lora")
    assert hidden.requires_grad
    assert sum(saved.values()) == pytest.approx(predicted, rel=0.1)


def test_on_a_cpu_only_blocks_below_the_mmap_threshold_fragment_the_heap() -> None:
    # The logits of 128 labelled tokens take 25 MB and are in the heap; those of 256 take 50 MB and come from mmap.
    short, long = (training(SMALL, max_length=length, on_cpu=True) for length in (256, 512))
    assert short.heap == short.activations + short.logits
    assert long.heap == long.activations
    assert training(SMALL, max_length=256).heap == 0
