"""The lesson's own filter gives the same pick as `slmkit pick`, and a different one when a rule is left out."""

import random
from pathlib import Path

import pytest
from project_files import REPOSITORY

from slmkit.errors import SlmkitError
from slmkit.lessons.pick_a_base import RULES, card_of, draw_wish, pick, size, tighten
from slmkit.selection.constraints import Constraints, choose_model, judge
from slmkit.selection.model_card import read_cards
from slmkit.types import ModelRef

CARDS = [card for card in read_cards(REPOSITORY / "configs/models") if card.hub_id and card.num_parameters]
WISHES = [draw_wish(random.Random(seed)) for seed in range(60)]


def test_the_smallest_model_that_passes_the_filter_is_what_slmkit_pick_takes() -> None:
    for seed, wish in enumerate(WISHES):
        picked = pick(CARDS, wish, RULES)
        assert picked == choose_model(judge(CARDS, wish)), wish
        stricter = pick(CARDS, tighten(wish, random.Random(seed)), RULES)
        assert picked is None or stricter is None or size(stricter) >= size(picked), wish


def test_leaving_out_the_licence_rule_changes_some_picks() -> None:
    without = {name: rule for name, rule in RULES.items() if name != "licence"}
    assert any(pick(CARDS, wish, without) != pick(CARDS, wish, RULES) for wish in WISHES)
    assert pick(CARDS, Constraints(licence="commercial", role="instruct", languages=("zh",)), RULES) is not None


def test_a_model_without_a_card_is_refused() -> None:
    assert card_of(ModelRef("HuggingFaceTB/SmolLM2-360M", "x"), CARDS).name == "smollm2-360m"
    with pytest.raises(SlmkitError, match="'mine'"):
        card_of(ModelRef("mine", str(Path("mine"))), CARDS)
