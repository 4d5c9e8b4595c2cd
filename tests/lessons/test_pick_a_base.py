"""The lesson's own filter is the one behind `slmkit pick`, and it notices when a rule is left out."""

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


@pytest.mark.parametrize("seed", range(40))
def test_filter_then_smallest_is_what_pick_does(seed: int) -> None:
    wish = draw_wish(random.Random(seed))
    mine = pick(CARDS, wish, RULES)
    assert mine == choose_model(judge(CARDS, wish))
    stricter = pick(CARDS, tighten(wish, random.Random(seed)), RULES)
    assert mine is None or stricter is None or size(stricter) >= size(mine)


def test_without_the_licence_rule_the_pick_may_not_be_sold() -> None:
    wish = Constraints(licence="commercial", role="instruct", languages=("zh",))
    loose = {name: rule for name, rule in RULES.items() if name != "licence"}
    assert any(pick(CARDS, draw_wish(random.Random(s)), loose) != pick(CARDS, draw_wish(random.Random(s)), RULES)
               for s in range(60))  # fmt: skip
    assert pick(CARDS, wish, RULES) is not None


def test_a_model_without_a_card_is_refused() -> None:
    assert card_of(ModelRef("HuggingFaceTB/SmolLM2-360M", "x"), CARDS).name == "smollm2-360m"
    with pytest.raises(SlmkitError, match="no card describes 'mine'"):
        card_of(ModelRef("mine", str(Path("mine"))), CARDS)
