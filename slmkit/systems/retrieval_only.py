"""The retrieval baseline: the best passage is the answer; no model reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from slmkit.data.documents import stored_passages
from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.systems._retrieval_notes import retrieval_notes
from slmkit.systems._rows import conversation_texts, read_rows
from slmkit.systems._search_text import search_text
from slmkit.types import Answer, Example, Input, Passage, PositiveInt, Retriever, RetrieverPart, System, Task


def retrieval_only(
    task: Task,
    *,
    documents: Input | None = None,
    train: Input | None = None,
    retriever: RetrieverPart = bm25,
    top_k: PositiveInt = 10,
) -> System:
    """Answers with the best passage of `documents` (of training rows in it, their answer), or with the target of the
    nearest row of `train`.

    Rows are compared by their whole conversations, documents with the last user turn, and with
    those before it while it is short.
    A RAG system must beat it. On a gold set with `relevant` passages it measures the retriever alone.
    top_k: passages that recall, mrr and ndcg look at.
    """
    if (documents is None) == (train is None):
        raise SlmkitError(
            "retrieval_only searches documents or training rows, and both are given"
            if documents
            else "retrieval_only has nothing to search",
            fix="keep `documents` or `train`, and remove the other"
            if documents
            else "add system.documents=FOLDER, a folder of texts, or system.train=loop/prepare, the prepared rows"
            " (in a comparison, systems.NAME in place of system)",
        )
    return _RetrievalOnly(documents, train, retriever, top_k)


@dataclass(frozen=True)
class _RetrievalOnly:
    documents: Path | None
    train: Path | None
    retriever: RetrieverPart
    top_k: int
    searched: list[tuple[Example, int]] = field(default_factory=list)  # questions, each with its number of hits

    @property
    def notes(self) -> list[str]:
        return retrieval_notes(self.searched, found="row" if self.train else "passage")

    @property
    def about(self) -> dict[str, str]:
        return {"model": f"none: {getattr(self.retriever, 'label', None) or self.retriever.__name__}"}

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        index, targets = self._index
        asked = conversation_texts(questions, self._rows) if self.train else list(map(search_text, questions))
        start = time.perf_counter()
        found = index.search(asked, top_k=self.top_k)
        seconds = (time.perf_counter() - start) / max(1, len(questions))
        self.searched.extend((question, len(hits)) for question, hits in zip(questions, found, strict=True))
        answers = []
        for question, hits in zip(questions, found, strict=True):
            best = hits[0].passage if hits else None
            text = "" if best is None else targets.get(best.id, best.answer or best.text)
            passages = () if self.train else tuple(hit.passage.id for hit in hits)
            answers.append(Answer(question.id, text, seconds=seconds, passages=passages))
            if on_answer:
                on_answer(answers[-1])
        return answers

    @cached_property
    def _index(self) -> tuple[Retriever, dict[str, str]]:
        """The retriever, and the target of each training row by passage id."""
        if self.documents is not None:
            return self.retriever(stored_passages(self.documents)), {}
        texts = conversation_texts(self._rows, self._rows)
        passages = [Passage(str(i), text) for i, text in enumerate(texts)]
        return self.retriever(passages), {str(i): row.target for i, row in enumerate(self._rows)}

    @cached_property
    def _rows(self) -> list[Example]:
        assert self.train is not None
        return read_rows(self.train)
