"""The corpus covers the vocabulary, and its rows can be drawn again."""

from __future__ import annotations

import pytest

from slmkit.micro_world import corpus
from slmkit.micro_world.corpus import DOCUMENTS, MIXES, Encoder, document, rows
from slmkit.micro_world.engine import belongs, rng
from slmkit.micro_world.families import FAMILIES
from slmkit.micro_world.gold_sets import draw
from slmkit.micro_world.skills import operations
from slmkit.micro_world.tokenizer import tokenizer


@pytest.fixture(scope="module")
def encode():
    return Encoder(tokenizer())


def untrained(encode, kinds, count):
    """The ids that have no loss weight in `count` documents of these kinds."""
    seen: set[int] = set()
    for number in range(count):
        ids, weights = document(encode, rng("untrained", number), kinds[number % len(kinds)], "train", chat=False)
        seen.update(i for i, weight in zip(ids, weights, strict=True) if weight > 0)
    return set(range(encode.vocab_size)) - seen


def test_every_id_of_the_vocabulary_is_trained(encode):
    assert untrained(encode, ["repeat"], 3000) == set()
    assert len(untrained(encode, ["reading"], 3000)) > 500  # the test can fail: reading alone leaves most untrained


@pytest.mark.long
def test_gold_contains_only_tokens_that_the_documents_use_in_words(encode):
    trained = set(range(encode.vocab_size)) - untrained(encode, list(DOCUMENTS), 15_000)
    for family in set(FAMILIES) - {"tickets", "drift", "fresh_tickets", "tools"}:
        for example in draw(family, "gold", 20 if family == "forks" else 100).examples:
            unseen = set(encode(f" {example.input.replace(chr(10), chr(10) + ' ')}")) - trained
            assert not unseen, (family, example.input, encode.tokenizer.convert_ids_to_tokens(list(unseen)))


@pytest.mark.parametrize("mix", MIXES)
def test_rows_are_full_and_depend_only_on_seed_and_step(encode, mix):
    first = rows(encode, mix, seed=1, step=7, count=3, max_length=128)
    assert first == rows(encode, mix, seed=1, step=7, count=3, max_length=128)
    assert first != rows(encode, mix, seed=1, step=8, count=3, max_length=128)
    assert all(len(ids) == len(weights) == 129 for ids, weights in first)


def test_only_assistant_turns_have_a_loss_weight(encode):
    ids, weights = document(encode, rng("loss"), "skills", "train", chat=True)
    tokens = encode.tokenizer.convert_ids_to_tokens(ids)
    assert weights[tokens.index("<|assistant|>") + 1] == 1.0
    assert sum(weights[: tokens.index("<|assistant|>") + 1]) == 0.0
    assert all(weights[i] == 1.0 for i, token in enumerate(tokens) if token == "<|end|>" and weights[i - 1])


def test_house_tickets_are_in_no_corpus():
    assert not {"tickets", "fresh_tickets"} & set(corpus.DOCUMENTS)


def test_no_document_contains_a_chain_or_pattern_of_the_gold_split(encode):
    """Names keep most gold prompts apart; chains and patterns have none, so the hash of the question decides."""
    for number in range(300):
        for kind in ("chains", "pattern"):
            ids, _ = document(encode, rng("apart", number), kind, "train", chat=False)
            questions = [
                line.partition(" q: ")[2] for line in encode.tokenizer.decode(ids).split("\n") if " q: " in line
            ]
            assert questions
            for question in questions:
                asked = operations(question) if kind == "chains" else question
                assert belongs(asked.strip(), "train"), question
