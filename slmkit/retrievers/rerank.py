"""A second look at what a first retriever found: a cross-encoder reads query and passage together and sorts anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.types import Hit, Passage, PositiveInt, Retriever, RetrieverPart


def rerank(
    passages: Sequence[Passage],
    *,
    cross_encoder: str,
    first: RetrieverPart = bm25,
    depth: PositiveInt = 50,
    max_length: PositiveInt = 512,
    batch_size: PositiveInt = 32,
) -> Retriever:
    """Sorts the `depth` best passages of `first` by how well a cross-encoder finds that each answers the query.

    cross_encoder: a folder or hub id of a sequence classifier, such as cross-encoder/ms-marco-MiniLM-L6-v2; where it
    has several outputs, the last is taken. Pairs beyond max_length tokens lose the end of the longer
    text, which is hardly ever the query.
    Source: Nogueira and Cho 2019, https://arxiv.org/abs/1901.04085.
    """
    return _Rerank(first(passages), cross_encoder, depth, max_length, batch_size)


class _Rerank:
    def __init__(self, first: Retriever, cross_encoder: str, depth: int, max_length: int, batch_size: int) -> None:
        self.first, self.cross_encoder, self.depth = first, cross_encoder, depth
        self.max_length, self.batch_size = max_length, batch_size

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k passages of each query by the cross-encoder; at a tie, the first retriever's order."""
        found = self.first.search(queries, top_k=max(top_k, self.depth))
        pairs = [(query, hit.passage.text) for query, hits in zip(queries, found, strict=True) for hit in hits]
        scores = iter(self._scores(pairs))
        sorted_hits = []
        for hits in found:
            anew = [Hit(hit.passage, next(scores)) for hit in hits]
            sorted_hits.append(sorted(anew, key=lambda hit: -hit.score)[:top_k])
        return sorted_hits

    def _scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        tokenizer, model = self._model
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][1]))  # like lengths go together
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
            tokenizer = AutoTokenizer.from_pretrained(self.cross_encoder)
            model = AutoModelForSequenceClassification.from_pretrained(self.cross_encoder)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise SlmkitError(
                f"cross_encoder {self.cross_encoder!r} cannot be loaded: {reason}",
                fix="name a folder with a sequence classifier and its tokenizer, or a hub id that is in the cache",
            ) from None
        return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
