"""Qdrant in its local mode finds what exact search over the same vectors finds."""

import warnings
from pathlib import Path

import pytest

from slmkit.errors import SlmkitError
from slmkit.retrievers.dense import dense
from slmkit.types import Passage

pytest.importorskip("qdrant_client")
from slmkit.retrievers import qdrant as module
from slmkit.retrievers.qdrant import qdrant

WORDS = ["oak", "river", "card", "bank", "train", "glass", "stone", "lamp"]
PASSAGES = [Passage(f"p{i}", f"{' and '.join(WORDS[i : i + 2])} by the {WORDS[i + 2]}") for i in range(6)]


def test_hits_and_scores_are_those_of_exact_search():
    queries = ["an oak by a river", "the glass lamp", "card"]
    exact = dense(PASSAGES).search(queries, top_k=3)
    found = qdrant(PASSAGES).search(queries, top_k=3)
    assert [[hit.passage.id for hit in hits] for hits in found] == [[hit.passage.id for hit in hits] for hits in exact]
    for ours, theirs in zip(found, exact, strict=True):
        assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-5)


def test_a_retrained_embedder_gets_a_new_collection(tmp_path, monkeypatch):
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    monkeypatch.setattr(module, "_connect", lambda url: client)
    monkeypatch.setattr(module, "fit_embedder", _by_weights)
    (tmp_path / "0_Dense").mkdir()
    weights = tmp_path / "0_Dense" / "model.safetensors"
    for shift in (0, 1, 1):
        weights.write_text(str(shift))
        [[hit]] = qdrant(PASSAGES, embedder=str(tmp_path)).search(["card"], top_k=1)
        assert hit.passage.text.endswith("card")
    assert len(client.get_collections().collections) == 2


def test_no_passages_give_no_hits():
    assert qdrant([]).search(["oak"], top_k=3) == [[]]
    assert qdrant([Passage("1", "!!!")]).search(["oak"], top_k=3) == [[]]


def test_a_server_that_is_down_is_named():
    with warnings.catch_warnings(), pytest.raises(SlmkitError) as caught:
        warnings.simplefilter("ignore")
        qdrant(PASSAGES, url="http://127.0.0.1:9")
    assert caught.value.where == "http://127.0.0.1:9"


def _by_weights(folder, texts, *, batch_size):
    """One-hot vectors by the last word of a text, shifted by the number in the file that plays the weights."""
    import numpy as np

    [path] = [path for path in Path(folder).rglob("*") if path.is_file()]
    shift = int(path.read_text())
    return lambda texts: np.eye(len(WORDS))[[(WORDS.index(text.split()[-1]) + shift) % len(WORDS) for text in texts]]
