"""The frozen gold sets: reproducible, confirmed by the reader, and separate from all training data."""

from __future__ import annotations

import json
import re

import pytest

from slmkit.gold.gold_set import read_gold
from slmkit.micro_world.corpus import chats
from slmkit.micro_world.engine import RELATIONS, Doc, Turn, canon, names, questions, rng, statements
from slmkit.micro_world.families import FAMILIES
from slmkit.micro_world.gold_sets import draw, freeze
from slmkit.micro_world.reader import read_facts, reread
from tests.conftest import REPOSITORY

GOLD = REPOSITORY / "gold"
FROZEN = sorted(folder.name for folder in GOLD.iterdir() if folder.name in FAMILIES)


def test_every_family_with_one_correct_answer_has_a_gold_set():
    assert set(FAMILIES) - set(FROZEN) == {"drift", "forks"}  # a stream, and questions with two answers


@pytest.mark.parametrize("family", FROZEN)
def test_the_frozen_set_is_what_the_engine_draws(family, tmp_path):
    freeze(family, tmp_path / family)
    for name in ("examples.jsonl", "dev.jsonl"):
        assert (tmp_path / family / name).read_bytes() == (GOLD / family / name).read_bytes()


@pytest.mark.parametrize("family", FROZEN)
def test_a_gold_set_has_200_examples_and_none_on_which_engine_and_reader_disagreed(family):
    gold = read_gold(GOLD / family)
    assert len(gold.examples) >= 200
    assert len(gold.dev) == 100
    assert gold.card["disagreed"] == 0
    assert not {e.input for e in gold.examples} & {e.input for e in gold.dev}


@pytest.mark.parametrize("family", FAMILIES)
def test_engine_and_reader_agree(family):
    for split in ("train", "gold", "live"):
        for number in range(60):
            doc = FAMILIES[family].draw(rng(split, 5, family, number), split)
            assert reread(doc) == doc.turns[0].answer, doc


def test_the_reader_can_disagree():
    notes = "miban: pet owl. rodel: pet fox."
    assert reread(Doc("reading", notes, (Turn("what pet does rodel have?", "?"),))) == "fox"
    assert reread(Doc("reading", notes, (Turn("what pet does zagan have?", "?"),))) == "the notes do not say"
    both = "miban: pet owl. miban: pet fox."
    assert reread(Doc("reading", both, (Turn("what pet does miban have?", "?"),))) is None
    with pytest.raises(ValueError, match="miban is nobody special"):
        read_facts("miban is nobody special.")


def test_every_wording_states_one_relation_only():
    for relation, kind in RELATIONS.items():
        value = (kind.values or ("rodel",))[0]
        for wording in (*statements(relation), *statements(relation, new=True)):
            text = wording.replace("{n}", "miban").replace("{v}", value).replace(" .", ".").replace(" ,", ",")
            text = re.sub(r"\ba (?=[aeio])", "an ", text.replace(" :", ":"))
            assert read_facts(text) == [("miban", relation, value)]


def test_no_gold_name_prompt_or_wording_is_in_the_training_chats():
    trained = chats("train", 3000, seed=0)
    text = json.dumps(trained)
    words = set(re.findall(r"[a-z]+", text))
    assert not words & set(names("gold"))
    assert words & set(names("train"))  # the check can fail: training names are found
    prompts = {m["content"] for chat in trained for m in chat["messages"] if m["role"] == "user"}
    for family in set(FROZEN) - {"say", "skills", "arithmetic", "tools"}:  # these have few prompts and no names
        assert not prompts & {example.input for example in read_gold(GOLD / family).examples}, family
    for relation in RELATIONS:
        assert not set(statements(relation)) & set(statements(relation, new=True))
        assert not set(questions(relation)) & set(questions(relation, new=True))


def test_the_splits_share_no_name_and_the_canon_has_training_names_only():
    train, dev, gold = (set(names(split)) for split in ("train", "dev", "gold"))
    assert not (train & dev or train & gold or dev & gold)
    assert {name for name, _ in canon()} <= train
    assert len(train) > 3000 > len(gold) > 500


def test_a_live_set_shares_no_example_with_the_frozen_set_and_changes_with_the_seed():
    frozen = {example.input for example in read_gold(GOLD / "reading").examples}
    live, other = ({e.input for e in draw("reading", "live", 100, seed=seed).examples} for seed in (1, 2))
    assert not live & frozen
    assert not live & other
