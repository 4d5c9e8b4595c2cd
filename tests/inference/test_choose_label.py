"""Choosing by a search of the label tree equals scoring every label by its own forward pass."""

import math
import random

import pytest
import torch

from slmkit.errors import SlmkitError
from slmkit.inference.choose_label import _best_one_by_one, best_first, choose, one_by_one, option_ids
from slmkit.inference.label_search import LabelSearch, LabelTree
from slmkit.inference.prefill import Prefill
from slmkit.models.chat_template import render
from slmkit.models.load import Loaded, shared_model
from slmkit.recipe import lookup
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(lookup.PACKAGE / "assets" / "nano"))
LABELS = ["card", "card lost", "card lost abroad", "top up", "top up by cash", "close the account", "red", "x y z"]


@pytest.fixture
def nano() -> Loaded:
    torch.set_num_threads(1)
    return shared_model(NANO, device="cpu")


def prompts(nano: Loaded, count: int) -> list[list[int]]:
    draw = random.Random(1)
    words = ["the", "card", "is", "lost", "and", "my", "money", "red", "box", "by", "top"]
    opening = {"role": "system", "content": "say what the ticket is about, in one of the words of the house."}
    texts = [" ".join(draw.choices(words, k=draw.randint(1, 30))) for _ in range(count)]
    return render(nano.tokenizer, [[opening, {"role": "user", "content": text}] for text in texts])


def test_the_search_finds_the_best_label_of_one_pass_per_label(nano):
    rows, endings = prompts(nano, 25), option_ids(nano, LABELS)
    truth = one_by_one(nano, rows, endings)
    searches = best_first(Prefill(nano, rows, new_tokens=8), rows, LabelTree(endings))
    assert [search.best for search in searches] == truth.argmax(-1).tolist()
    torch.testing.assert_close(
        torch.tensor([s.best_score for s in searches]), truth.max(-1).values, rtol=1e-4, atol=1e-3
    )


def test_confidence_is_the_share_among_the_options(nano):
    rows, endings = prompts(nano, 12), option_ids(nano, LABELS)
    outputs = choose(nano, rows, LABELS)
    for row, output in zip(rows, outputs, strict=True):
        best, guided = _best_one_by_one(nano, row, endings)
        assert LABELS[best] == output.text
        assert output.confidence == pytest.approx(math.exp(guided), rel=1e-3)
    [alone] = choose(nano, rows[:1], ["red"])
    assert alone.confidence == pytest.approx(1.0)
    two = LabelSearch(LabelTree([[5, 9], [6, 9]]))
    two.expand(0, [math.log(1e-9), math.log(3e-9)])  # a model that prefers something else
    two.next_nodes(10)
    two.expand(2, [0.0])
    assert (two.best, math.exp(two.best_guided)) == (1, pytest.approx(0.75))


def test_an_unlikely_branch_is_not_read(nano):
    rows, tree = prompts(nano, 25), LabelTree(option_ids(nano, LABELS))
    searches = best_first(Prefill(nano, rows, new_tokens=8), rows, tree)
    assert sum(len(search.scores) for search in searches) < 0.9 * 25 * len(tree.tokens)


def test_a_score_is_the_models_own_loss(nano):
    [row], [ending] = prompts(nano, 1), option_ids(nano, ["card lost"])
    ids = torch.tensor([row + ending])
    labels = torch.tensor([[-100] * len(row) + ending])
    loss = nano.model(ids, labels=labels).loss.item()
    [[score]] = one_by_one(nano, [row], [ending]).tolist()
    assert score == pytest.approx(-loss * len(ending), rel=1e-4)


def test_common_beginnings_are_one_node():
    tree = LabelTree([[5, 6, 9], [5, 7, 9], [5, 9]])
    assert tree.tokens == [-1, 5, 6, 7]
    assert tree.branches == [[(5, 1)], [(6, 2), (7, 3), (9, ~2)], [(9, ~0)], [(9, ~1)]]


def test_an_option_that_another_begins_with_can_win_without_an_end_token():
    search = LabelSearch(LabelTree([[5, 6], [5]]))
    search.expand(0, [-1.0, -1.0])  # token 5 continues the first option and ends the second
    assert (search.best, search.next_nodes(10)) == (1, [1])
    search.expand(1, [-0.5])
    assert (search.best, search.best_score) == (1, -1.0)


def test_a_tie_goes_to_the_option_named_first():
    search = LabelSearch(LabelTree([[5, 6], [7, 8]]))
    search.expand(0, [-1.0, -1.0])
    assert search.next_nodes(0) == [1, 2]
    search.expand(2, [-1.0])
    search.expand(1, [-1.0])
    assert search.best == 0


def test_an_option_is_what_the_template_writes_up_to_its_end(nano):
    for option, ids in zip(LABELS, option_ids(nano, LABELS), strict=True):
        assert nano.tokenizer.decode(ids) == f" {option}<|end|>"


def test_the_batch_size_changes_no_choice(nano):
    rows = prompts(nano, 10)
    whole = [output.text for output in choose(nano, rows, LABELS)]
    assert whole == [output.text for output in choose(nano, rows, LABELS, batch_size=3)]
    assert set(whole) <= set(LABELS)


def test_outputs_count_tokens_and_are_passed_to_the_callback(nano):
    seen = {}
    rows = prompts(nano, 4)
    outputs = choose(nano, rows, ["card lost", "red"], on_output=seen.__setitem__)
    assert [seen[i] for i in range(4)] == outputs
    assert all(output.stopped and output.completion_tokens >= 2 for output in outputs)
    assert [output.prompt_tokens for output in outputs] == [len(row) for row in rows]


def test_a_label_of_one_token_needs_no_tree(nano):
    assert choose(nano, prompts(nano, 2), ["red"])[0].text == "red"
    with pytest.raises(SlmkitError) as error:
        choose(nano, prompts(nano, 1), [])
    assert error.value.where == "labels"


def test_a_prompt_beyond_the_context_is_an_error(nano):
    [ending] = option_ids(nano, ["card lost"])
    fits = 1024 - (len(ending) - 1)  # its last token is not read
    whole, cut = choose(nano, [[5] * fits, [5] * (fits + 1)], ["card lost"])
    assert (whole.text, whole.error) == ("card lost", "")
    assert "1,024" in cut.error


def test_a_recurrent_model_chooses_too(nano):
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

    torch.manual_seed(0)
    config = Qwen3NextConfig(
        vocab_size=2048, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8,
        linear_value_head_dim=8, num_experts=0, decoder_sparse_step=1, mlp_only_layers=[0, 1, 2, 3],
    )  # fmt: skip
    loaded = Loaded(Qwen3NextForCausalLM(config).eval(), nano.tokenizer, ModelRef("hybrid", "hybrid"))
    assert choose(loaded, prompts(nano, 2), LABELS)[0].text in LABELS


@pytest.mark.parametrize("window", [16, 64])
def test_a_model_with_a_sliding_window_chooses_as_by_one_pass_per_label(nano, window):
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=2048, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, initializer_range=0.2, sliding_window=window,
    )  # fmt: skip
    loaded = Loaded(MistralForCausalLM(config).eval(), nano.tokenizer, ModelRef("window", "window"))
    labels = [f"the {thing}" for thing in ("card", "money", "box", "red", "top", "boat")]
    rows = prompts(nano, 25)  # 23 to 61 tokens
    best = one_by_one(loaded, rows, option_ids(loaded, labels)).argmax(-1).tolist()
    assert len(set(best)) > 2
    assert [output.text for output in choose(loaded, rows, labels)] == [labels[i] for i in best]
