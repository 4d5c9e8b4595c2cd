"""The roomy cache contains the same as transformers' own, without copying it for every token."""

import torch
from transformers import DynamicCache, LlamaConfig

from slmkit.inference.kv_cache import preallocated_cache

CONFIG = LlamaConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2)


def added(caches, rows: int, tokens: int, seed: int):
    torch.manual_seed(seed)
    for layer in range(2):
        states = torch.randn(rows, 2, tokens, 8), torch.randn(rows, 2, tokens, 8)
        ours, theirs = (cache.update(*states, layer) for cache in caches)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_it_equals_a_dynamic_cache_through_all_changes_of_its_rows():
    caches = preallocated_cache(CONFIG), DynamicCache(config=CONFIG)
    added(caches, 1, 5, seed=0)
    for cache in caches:
        cache.batch_repeat_interleave(3)
    for step in range(70):  # more than the spare room of one allocation
        added(caches, 3, 1, seed=step)
    for cache in caches:
        cache.batch_select_indices(torch.tensor([2, 0]))
    added(caches, 2, 4, seed=99)
    assert caches[0].get_seq_length() == caches[1].get_seq_length() == 79


def test_one_more_token_copies_nothing():
    cache = preallocated_cache(CONFIG)
    cache.update(torch.ones(1, 2, 5, 8), torch.ones(1, 2, 5, 8), 0)
    before = cache.layers[0].keys.data_ptr()
    cache.update(torch.ones(1, 2, 1, 8), torch.ones(1, 2, 1, 8), 0)
    assert cache.layers[0].keys.data_ptr() == before


def test_sliding_layers_stay_as_they_are():
    from transformers import Gemma3TextConfig
    from transformers.cache_utils import DynamicSlidingWindowLayer

    layers = preallocated_cache(Gemma3TextConfig(num_hidden_layers=6, sliding_window=8)).layers
    assert [isinstance(layer, DynamicSlidingWindowLayer) for layer in layers] == [True] * 5 + [False]
