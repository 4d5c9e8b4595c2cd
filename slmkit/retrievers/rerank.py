"""Reranking: a cross-encoder reads the query with each passage of a first retriever, and sorts them again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.types import Hit, Passage, PositiveInt, Retriever, RetrieverPart
from slmkit.weights.hub_snapshot import hub_snapshot


def rerank(
    passages: Sequence[Passage],
    *,
    cross_encoder: str,
    first: RetrieverPart = bm25,
    depth: PositiveInt = 50,
    max_length: PositiveInt = 512,
    batch_size: PositiveInt = 32,
) -> Retriever:
    """Sorts the best `depth` passages of `first` by the relevance score of a cross-encoder.

    cross_encoder: folder or hub id of a sequence classifier, such as cross-encoder/ms-marco-MiniLM-L6-v2; of several
    outputs the last is the score. Pairs over max_length tokens are truncated at the end of the longer text, nearly
    always the passage. With depth 50, a relevant passage at rank 30 of `first` can reach rank 1; one at 51 cannot.
    Source: Nogueira and Cho 2019, https://arxiv.org/abs/1901.04085.
    """
    return _Rerank(first(passages), cross_encoder, depth, max_length, batch_size)


class _Rerank:
    def __init__(self, first: Retriever, cross_encoder: str, depth: int, max_length: int, batch_size: int) -> None:
        self.first, self.cross_encoder, self.depth = first, cross_encoder, depth
        self.max_length, self.batch_size = max_length, batch_size

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k passages of each query by the cross-encoder's score; ties keep the first retriever's order."""
        found = self.first.search(queries, top_k=max(top_k, self.depth))
        pairs = [(query, hit.passage.text) for query, hits in zip(queries, found, strict=True) for hit in hits]
        scores = iter(self._scores(pairs))
        sorted_hits = []
        for hits in found:
            rescored = [Hit(hit.passage, next(scores)) for hit in hits]
            sorted_hits.append(sorted(rescored, key=lambda hit: -hit.score)[:top_k])
        return sorted_hits

    def _scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        tokenizer, model = self._model
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][1]))  # similar lengths in one batch: less padding
        scores = [0.0] * len(pairs)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            queries, texts = zip(*(pairs[i] for i in batch), strict=True)
            rows = tokenizer(
                list(queries),
                list(texts),
                truncation="longest_first",
                max_length=self.max_length,
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                logits = model(**rows.to(model.device)).logits[:, -1].float().tolist()
            for i, score in zip(batch, logits, strict=True):
                scores[i] = score
        return scores

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        try:
            source = str(hub_snapshot(self.cross_encoder) or self.cross_encoder)  # no network for what is here
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = AutoModelForSequenceClassification.from_pretrained(source)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise SlmkitError(
                f"cannot load cross_encoder {self.cross_encoder!r}: {reason}",
                fix="use a folder with a sequence classifier and its tokenizer, or a hub id in the local cache",
            ) from None
        return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
