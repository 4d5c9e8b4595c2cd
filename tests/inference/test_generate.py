"""Batched answers equal those of transformers one at a time, however they are batched."""

import random

import pytest
import torch

from slmkit.inference import prefill
from slmkit.inference.generate import Sampling, generate, stop_ids
from slmkit.models.chat_template import render
from slmkit.models.load import Loaded, load_model, shared_model
from slmkit.recipe import lookup
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(lookup.PACKAGE / "assets" / "nano"))


@pytest.fixture
def nano() -> Loaded:
    torch.set_num_threads(1)  # a second thread gains little on a small model
    return shared_model(NANO, device="cpu")


def prompts(nano: Loaded, count: int, *, opening: str = "answer the question in the house format.") -> list[list[int]]:
    draw = random.Random(0)
    words = ["the", "red", "cup", "is", "in", "a", "box", "and", "the", "boat", "by", "old", "oak", "table"]
    chats = [
        [{"role": "system", "content": opening}, {"role": "user", "content": " ".join(draw.choices(words, k=length))}]
        for length in (draw.randint(1, 60) for _ in range(count))
    ]
    return render(nano.tokenizer, chats)


def one_at_a_time(nano: Loaded, rows: list[list[int]], max_new_tokens: int) -> list[str]:
    """The truth: transformers' own greedy generate, unbatched."""
    texts = []
    for ids in rows:
        with torch.inference_mode():
            found = nano.model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids)),
                max_new_tokens=max_new_tokens,
                do_sample=False,
            )
        texts.append(nano.tokenizer.decode(found[0, len(ids) :], skip_special_tokens=True).strip())
    return texts


def test_batched_answers_equal_single_ones_of_transformers(nano):
    rows = prompts(nano, 20)
    assert [o.text for o in generate(nano, rows, max_new_tokens=12)] == one_at_a_time(nano, rows, 12)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_changes_no_answer(nano, batch_size):
    rows = prompts(nano, 12)
    texts = [o.text for o in generate(nano, rows, max_new_tokens=8, batch_size=batch_size)]
    assert texts == [o.text for o in generate(nano, rows, max_new_tokens=8, batch_size=5)]


def test_prompts_without_a_common_beginning_are_answered_too(nano):
    rows = [row[row.index(row[1]) + 1 + i :] for i, row in enumerate(prompts(nano, 8))]
    assert [o.text for o in generate(nano, rows, max_new_tokens=8)] == one_at_a_time(nano, rows, 8)


def test_a_window_that_slides_past_a_common_beginning_changes_no_answer(nano):
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=2048, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, initializer_range=0.3, sliding_window=24, eos_token_id=None,
    )  # fmt: skip
    loaded = Loaded(MistralForCausalLM(config).eval(), nano.tokenizer, ModelRef("window", "window"))
    rows = prompts(nano, 6)
    assert [o.text for o in generate(loaded, rows, max_new_tokens=8)] == one_at_a_time(loaded, rows, 8)


def test_an_answer_ends_at_the_end_of_its_turn(nano):
    rows = prompts(nano, 40)
    free = generate(nano, rows, max_new_tokens=8)
    longest = max(range(40), key=lambda i: free[i].completion_tokens)
    [tokens] = nano.model.generate(torch.tensor([rows[longest]]), max_new_tokens=8, do_sample=False)[
        :, len(rows[longest]) :
    ]
    stop = int(tokens[1])  # the second token it writes now ends its turn
    original = nano.model.generation_config.eos_token_id
    nano.model.generation_config.eos_token_id = [stop]
    try:
        ended = generate(nano, rows, max_new_tokens=8)
    finally:
        nano.model.generation_config.eos_token_id = original
    assert ended[longest].stopped
    assert ended[longest].completion_tokens == tokens.tolist().index(stop)
    assert free[longest].completion_tokens > ended[longest].completion_tokens
    assert free[longest].text.startswith(ended[longest].text)


def test_the_templates_end_of_turn_is_a_stop(nano):
    assert nano.tokenizer.convert_tokens_to_ids("<|end|>") in stop_ids(nano)


def test_an_answer_that_was_cut_off_is_not_marked_stopped(nano):
    outputs = generate(nano, prompts(nano, 3), max_new_tokens=1)
    assert all(o.completion_tokens <= 1 for o in outputs)
    assert [o.stopped for o in outputs] == [o.completion_tokens == 0 for o in outputs]


def test_a_prompt_beyond_the_context_is_an_error_not_a_cut(nano):
    rows = prompts(nano, 2)
    outputs = generate(nano, [rows[0], [5] * 1020, rows[1]], max_new_tokens=8)
    assert all(value in outputs[1].error for value in ("1,020", "max_new_tokens=8", "1,024"))
    assert (outputs[1].text, outputs[1].prompt_tokens) == ("", 1020)
    assert [o.text for o in (outputs[0], outputs[2])] == [o.text for o in generate(nano, rows, max_new_tokens=8)]


def test_each_answer_is_passed_to_the_callback_with_its_index(nano):
    seen = {}
    rows = prompts(nano, 7)
    outputs = generate(nano, rows, max_new_tokens=4, batch_size=2, on_output=seen.__setitem__)
    assert [seen[i] for i in range(7)] == outputs


def test_sampling_depends_on_the_seed_and_not_on_the_batch(nano):
    rows = prompts(nano, 6)
    drawn = [o.text for o in generate(nano, rows, max_new_tokens=8, sampling=Sampling(1.0, 0.9, seed=1))]
    assert drawn == [
        o.text for o in generate(nano, rows, max_new_tokens=8, batch_size=2, sampling=Sampling(1.0, 0.9, seed=1))
    ]
    assert drawn != [o.text for o in generate(nano, rows, max_new_tokens=8, sampling=Sampling(1.0, 0.9, seed=2))]


def test_a_tiny_top_p_is_greedy(nano):
    rows = prompts(nano, 4)
    sampled = generate(nano, rows, max_new_tokens=6, sampling=Sampling(1.0, top_p=1e-9))
    assert [o.text for o in sampled] == [o.text for o in generate(nano, rows, max_new_tokens=6)]


def test_no_prompts_and_no_tokens_are_no_error(nano):
    assert generate(nano, []) == []
    assert [o.text for o in generate(nano, prompts(nano, 2), max_new_tokens=0)] == ["", ""]


def test_too_large_a_batch_is_halved_until_it_fits(nano, monkeypatch):
    read, tried = prefill.Prefill.read, []

    def small_memory(self, rows):
        tried.append(len(rows))
        if len(rows) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return read(self, rows)

    rows = prompts(nano, 12)
    expected = [o.text for o in generate(nano, rows, max_new_tokens=4)]
    monkeypatch.setattr(prefill.Prefill, "read", small_memory)
    monkeypatch.setattr(prefill, "_rows_in_memory", lambda *_: 12)
    assert [o.text for o in generate(nano, rows, max_new_tokens=4)] == expected
    assert tried[:3] == [12, 6, 3]


def test_a_recurrent_model_gives_the_answers_of_transformers():
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

    torch.manual_seed(0)
    config = Qwen3NextConfig(
        vocab_size=2048, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8,
        linear_value_head_dim=8, num_experts=0, decoder_sparse_step=1, mlp_only_layers=[0, 1, 2, 3],
    )  # fmt: skip
    model = Qwen3NextForCausalLM(config).eval()
    tokenizer = load_model(NANO, device="cpu").tokenizer
    loaded = Loaded(model, tokenizer, ModelRef("hybrid", "hybrid"))
    rows = prompts(loaded, 6)
    assert [o.text for o in generate(loaded, rows, max_new_tokens=6)] == one_at_a_time(loaded, rows, 6)


def test_two_hundred_answers_take_few_passes_through_the_model(nano, monkeypatch):
    passes = []
    forward = prefill.Prefill.forward
    monkeypatch.setattr(prefill.Prefill, "forward", lambda self, *a: passes.append(len(a[0])) or forward(self, *a))
    generate(nano, prompts(nano, 200), max_new_tokens=6)
    assert len(passes) <= 1 + 4 * 6  # the common beginning once, then four batches of up to 64 for six tokens
    assert passes[0] == 1
