"""The models that ship in the package are complete and small, and do what their cards say."""

from __future__ import annotations

import json
import re

import pytest

import slmkit
from slmkit.gold.gold_set import read_gold
from slmkit.metrics.line_fields import field
from slmkit.metrics.match import exact_match
from slmkit.micro_world.tokenizer import tokenizer
from slmkit.models.load import load_model
from slmkit.systems.prompt import prompt
from slmkit.types import ModelRef
from tests.conftest import REPOSITORY

ASSETS = REPOSITORY / "slmkit/assets"
MODELS = sorted(folder.name for folder in ASSETS.iterdir() if folder.is_dir())


def score(model, family, metric, count=60):
    gold = read_gold(REPOSITORY / "gold" / family)
    examples = [e for e in gold.examples if e.slice.get("wording") != "new"][:count]
    answers = prompt(gold.task, model=ModelRef(model, str(ASSETS / model))).answer(examples)
    assert all(answer.stopped for answer in answers), "an answer was cut off"
    return sum(metric(example, answer) for example, answer in zip(examples, answers, strict=True)) / len(examples)


def test_the_assets_are_in_the_package_and_at_most_26_mb():
    assert slmkit.__file__ == str(ASSETS.parent / "__init__.py")
    assert {"nano", "nano-base"} <= set(MODELS)
    assert sum(file.stat().st_size for file in ASSETS.rglob("*")) <= 26e6


@pytest.mark.parametrize("name", MODELS)
def test_an_asset_is_in_half_precision_with_the_current_tokenizer(name):
    loaded = load_model(ModelRef(name, str(ASSETS / name)))
    built = tokenizer()
    assert loaded.tokenizer.get_vocab() == built.get_vocab()
    assert loaded.tokenizer.chat_template == built.chat_template
    assert loaded.model.config.vocab_size == len(built)
    assert json.loads((ASSETS / name / "config.json").read_text())["dtype"] == "float16"
    assert loaded.model.generation_config.eos_token_id == built.eos_token_id != built.pad_token_id


@pytest.mark.parametrize("name", MODELS)
def test_an_asset_has_its_lineage_and_a_finished_card(name):
    lineage = json.loads((ASSETS / name / "lineage.json").read_text())
    assert lineage["tokens"] > 0
    card = (ASSETS / name / "README.md").read_text()
    assert f"{lineage['tokens']:,} tokens" in card
    assert not re.search(r"TODO|XX|\?\?", card)


def test_nano_answers_questions_on_notes_with_unseen_names():
    assert score("nano", "reading", exact_match) >= 0.8


def test_nano_does_not_know_the_ticket_codes():
    assert score("nano", "tickets", lambda e, a: field(e, a, name="code")) <= 0.1
