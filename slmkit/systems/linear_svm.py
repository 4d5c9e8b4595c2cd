"""The classical baseline for classification: a linear SVM on TF-IDF of words and characters. It often wins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from slmkit.systems import NotApplicable
from slmkit.systems._rows import conversation_texts, read_rows
from slmkit.text.words import spelled_alike, terms_or_signs
from slmkit.types import Answer, Example, Input, System, Task


def linear_svm(task: Task, *, train: Input, C: float = 1.0) -> System:
    """Classifies with a linear SVM on TF-IDF features, fitted on `train`, a prepared run.

    It reads the whole conversation of a row, without a system turn that all rows have.
    Features: words, pairs of words, runs of 2 to 5 characters within words. Words are cut by script, see
    slmkit.text.words: Chinese into characters and pairs of them. C: smaller regularises more.
    Source: Wang and Manning 2012, https://aclanthology.org/P12-2018, on the strength of this baseline.
    """
    if task.kind != "classification":
        raise NotApplicable(
            f"a classifier needs labels, but task {task.name!r} is {task.kind}", fix="remove this system"
        )
    return _LinearSvm(train, C)


@dataclass(frozen=True)
class _LinearSvm:
    train: Path
    C: float

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        model = self.model
        start = time.perf_counter()
        labels = model.predict(conversation_texts(questions, self._rows)) if questions else []
        seconds = (time.perf_counter() - start) / max(1, len(questions))
        answers = [
            Answer(question.id, str(label), seconds=seconds) for question, label in zip(questions, labels, strict=True)
        ]
        for answer in answers:
            if on_answer:
                on_answer(answer)
        return answers

    @cached_property
    def _rows(self) -> list[Example]:
        return read_rows(self.train)

    @cached_property
    def model(self) -> Any:
        from sklearn.dummy import DummyClassifier
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.svm import LinearSVC

        texts, targets = conversation_texts(self._rows, self._rows), [row.target for row in self._rows]
        if len(set(targets)) < 2:
            return DummyClassifier(strategy="most_frequent").fit(texts, targets)
        words = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, lowercase=False, tokenizer=terms_or_signs, token_pattern=None
        )
        characters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, preprocessor=spelled_alike
        )
        return make_pipeline(make_union(words, characters), LinearSVC(C=self.C)).fit(texts, targets)
