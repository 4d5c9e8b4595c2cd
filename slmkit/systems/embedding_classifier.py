"""The embedding baseline for classification: logistic regression on sentence embeddings, with probabilities."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from slmkit.retrievers._embedder import fit_embedder
from slmkit.systems import NotApplicable
from slmkit.systems._rows import conversation_texts, read_rows
from slmkit.types import Answer, Example, Input, System, Task


def embedding_classifier(
    task: Task, *, train: Input, embedder: str = "lsa", C: float = 10.0, batch_size: int = 64
) -> System:
    """Classifies with logistic regression on embeddings of `train`, a prepared run, and reports a confidence.

    It reads the whole conversation of a row, without a system turn that all rows have.
    embedder: as in the `dense` retriever; "lsa" is fitted on the training texts and needs no network.
    C: smaller regularises more.
    Source: Tunstall et al. 2022 (SetFit), https://arxiv.org/abs/2209.11055, without the contrastive step.
    """
    if task.kind != "classification":
        raise NotApplicable(
            f"a classifier needs labels, but task {task.name!r} is {task.kind}", fix="remove this system"
        )
    return _EmbeddingClassifier(train, embedder, C, batch_size)


@dataclass(frozen=True)
class _EmbeddingClassifier:
    train: Path
    embedder: str
    C: float
    batch_size: int

    @property
    def about(self) -> dict[str, str]:
        return {"model": f"logistic regression on {self.embedder} embeddings"}

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        embed, model = self._fitted
        start = time.perf_counter()
        texts = conversation_texts(questions, self._rows)
        probabilities = model.predict_proba(embed(texts)) if texts else []
        seconds = (time.perf_counter() - start) / max(1, len(questions))
        answers = [
            Answer(question.id, str(model.classes_[row.argmax()]), seconds=seconds, confidence=float(row.max()))
            for question, row in zip(questions, probabilities, strict=True)
        ]
        for answer in answers:
            if on_answer:
                on_answer(answer)
        return answers

    @cached_property
    def _rows(self) -> list[Example]:
        return read_rows(self.train)

    @cached_property
    def _fitted(self) -> tuple[Any, Any]:
        """The embedder and its classifier; a constant classifier if the training rows have a single label."""
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression

        texts, targets = conversation_texts(self._rows, self._rows), [row.target for row in self._rows]
        embed = fit_embedder(self.embedder, texts, batch_size=self.batch_size)
        several = len(set(targets)) > 1
        model = LogisticRegression(C=self.C, max_iter=1000) if several else DummyClassifier(strategy="prior")
        return embed, model.fit(embed(texts), targets)
