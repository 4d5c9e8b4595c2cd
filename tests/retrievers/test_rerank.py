"""Reranked hits have the order and the scores that transformers gives the pairs."""

import re

import pytest

from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.retrievers.rerank import rerank
from slmkit.types import Passage

PASSAGES = [Passage(str(i), f"the oak {'grows slowly ' * i}near the river") for i in range(6)]


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory):
    """A real sequence classifier with random weights and the tokenizer of nano."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    from slmkit.recipe import lookup

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(lookup.PACKAGE / "assets" / "nano")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("cross_encoder")
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_order_and_scores_are_those_of_the_cross_encoder(cross_encoder):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(cross_encoder)
    model = AutoModelForSequenceClassification.from_pretrained(cross_encoder).eval()
    query = "where does the oak grow"
    alone = {p.id: model(**tokenizer(query, p.text, return_tensors="pt")).logits.item() for p in PASSAGES}
    [hits] = rerank(PASSAGES, cross_encoder=cross_encoder, batch_size=2).search([query], top_k=4)
    assert [hit.passage.id for hit in hits] == sorted(alone, key=lambda id: -alone[id])[:4]
    assert [hit.score for hit in hits] == pytest.approx([alone[hit.passage.id] for hit in hits], abs=1e-5)


def test_only_the_best_depth_passages_are_reranked(cross_encoder):
    [first] = bm25(PASSAGES).search(["oak"], top_k=2)
    [hits] = rerank(PASSAGES, cross_encoder=cross_encoder, depth=2).search(["oak"], top_k=2)
    assert {hit.passage.id for hit in hits} == {hit.passage.id for hit in first}


def test_truncation_shortens_a_long_query_and_not_the_passages(cross_encoder):
    [whole] = rerank(PASSAGES[:2], cross_encoder=cross_encoder, max_length=64).search(["oak " * 100], top_k=2)
    [less] = rerank(PASSAGES[:2], cross_encoder=cross_encoder, max_length=64).search(["oak " * 200], top_k=2)
    assert {hit.passage.id for hit in whole} == {"0", "1"}
    assert whole[0].score != whole[1].score
    assert [hit.score for hit in whole] == [hit.score for hit in less]


def test_a_model_that_cannot_be_loaded_is_named(tmp_path):
    with pytest.raises(SlmkitError, match=re.escape(repr(str(tmp_path)))):
        rerank(PASSAGES, cross_encoder=str(tmp_path)).search(["oak"], top_k=1)
