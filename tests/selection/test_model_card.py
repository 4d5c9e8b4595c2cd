"""Cards have sources, and their parameter counts agree with the shape and with the models of transformers."""

from dataclasses import replace
from pathlib import Path

import pytest
from project_files import REPOSITORY

from slmkit.errors import SlmkitError
from slmkit.selection.model_card import Card, count_parameters, read_card, read_cards

CARDS = [card for card in read_cards(REPOSITORY / "configs/models") if card.hub_id]
COUNTED = [card for card in CARDS if card.parameters and count_parameters(card)]

# What transformers' config needs besides the card's shape, by model type.
_EXTRA = {
    "gpt_neox": {"rotary_pct": 0.25},
    "phi3": {"pad_token_id": 0},
    "lfm2": {"full_attn_idxs": [2, 5, 8, 10, 12, 14], "block_auto_adjust_ff_dim": False},
}
_NO_HEAD_DIM = (
    "gpt_neox",
    "phi",
    "phi3",
    "stablelm",
    "olmo2",
    "granite",
    "lfm2",
    "qwen2",
)  # hidden_size / heads


def test_there_are_at_least_forty_cards_and_each_has_sources_and_a_date() -> None:
    assert len(CARDS) >= 40
    for card in CARDS:
        assert card.sources, card.name
        assert all(source.startswith("https://") for source in card.sources), card.name
        assert card.date_read, card.name


def test_base_and_instruct_models_point_at_each_other() -> None:
    names = {card.name: card for card in CARDS}
    for card in CARDS:
        if card.pair:
            assert names[card.pair].role != card.role, card.name
            assert card.pair in names, card.name


@pytest.mark.parametrize("card", COUNTED, ids=lambda card: card.name)
def test_the_published_parameter_count_agrees_with_the_shape(card: Card) -> None:
    assert card.parameters == pytest.approx(count_parameters(card), rel=0.01)


def test_every_decoder_card_has_its_shape() -> None:
    assert [card.name for card in CARDS if card.architecture == "decoder" and not count_parameters(card)] == []


@pytest.mark.parametrize("model_type", sorted({card.model_type for card in CARDS if count_parameters(card)}))
def test_transformers_builds_as_many_weights_as_counted(model_type: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    card = next(card for card in CARDS if card.model_type == model_type and count_parameters(card))
    keys = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim",
            "intermediate_size", "vocab_size", "tie_word_embeddings")  # fmt: skip
    shape = {key: getattr(card, key) for key in keys if key != "head_dim" or model_type not in _NO_HEAD_DIM}
    config = AutoConfig.for_model(model_type, **shape, **_EXTRA.get(model_type, {}))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert sum(weight.numel() for weight in model.parameters()) == count_parameters(card)


def test_an_unknown_key_in_a_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nlicense: MIT\n")
    with pytest.raises(SlmkitError, match="'license'") as error:
        read_card(path)
    assert error.value.where == str(path)


def test_a_wrong_shape_gives_a_wrong_count() -> None:
    card = next(card for card in COUNTED if card.name == "qwen2.5-0.5b")
    untied = replace(card, tie_word_embeddings=False)
    assert count_parameters(untied) != pytest.approx(card.parameters, rel=0.01)
