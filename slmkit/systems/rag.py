"""Retrieval-augmented generation: a chat model answers with retrieved passages in its prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from slmkit.data.documents import stored_passages
from slmkit.retrievers.bm25 import bm25
from slmkit.systems._chat import ChatModel, ChatOptions
from slmkit.systems._fit_prompts import longest_beginning
from slmkit.systems._rag_prompt import RagPrompt, check_template, rag_prompt
from slmkit.systems._retrieval_notes import retrieval_notes
from slmkit.systems._search_text import search_text
from slmkit.types import (
    Answer,
    Example,
    Hit,
    Input,
    Keys,
    Message,
    Model,
    Passage,
    PositiveInt,
    Retriever,
    RetrieverPart,
    System,
    Task,
)


def rag(
    task: Task,
    *,
    model: Model,
    documents: Input,
    retriever: RetrieverPart = bm25,
    top_k: PositiveInt = 3,
    prompt_template: str = "auto",
    chat: Keys[ChatOptions] = ChatOptions(),
) -> System:
    """Asks a chat model, with the top_k passages retrieved from `documents` before the question.

    documents: a prepared run, a documents.jsonl of {"id", "text"} lines, or a folder of texts.
    Documents are searched with the last user turn; a short one, such as "And in Oslo?", together with those before it.
    prompt_template: of the user message, with {passages} and {input}. "auto" has a heading, numbered passages and the
    question; training rows are solved examples, turn by turn, as in a few-shot prompt. A bundled model was trained
    on the passages and the question alone, and gets these.
    Passages that do not fit into the context beside the answer are left out, the worst first; the best one is cut.
    The keys from instruction on: as in `prompt`.
    """
    check_template(prompt_template)
    return _Rag(ChatModel(task, model, chat), documents, retriever, top_k, prompt_template)


@dataclass(frozen=True)
class _Rag:
    chat_model: ChatModel
    documents: Path
    retriever: RetrieverPart
    top_k: int
    template: str  # of the user message, or "auto"
    searched: list[tuple[Example, int]] = field(default_factory=list)  # questions, each with its number of hits

    @property
    def about(self) -> dict[str, str]:
        return self.chat_model.about

    @property
    def notes(self) -> list[str]:
        """What was left out of the prompts, and for how many questions nothing was found."""
        return [*self.chat_model.notes("passages"), *retrieval_notes(self.searched)]

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        index = self.index
        start = time.perf_counter()
        found = index.search(list(map(search_text, questions)), top_k=self.top_k)
        self.searched.extend((question, len(hits)) for question, hits in zip(questions, found, strict=True))
        chats, kept = self._fitted(questions, found)
        seconds = time.perf_counter() - start
        ids = [tuple(hit.passage.id for hit in hits[:few]) for hits, few in zip(found, kept, strict=True)]
        return self.chat_model.answer(questions, chats, passages=ids, preparing_seconds=seconds, on_answer=on_answer)

    @cached_property
    def _prompt(self) -> RagPrompt:
        return rag_prompt(self.chat_model.task, self.template, vocabulary=self.chat_model.vocabulary)

    @cached_property
    def index(self) -> Retriever:
        return self.retriever(stored_passages(self.documents))

    def _fitted(
        self, questions: Sequence[Example], found: Sequence[Sequence[Hit]]
    ) -> tuple[list[list[Message]], list[int]]:
        """The chat of each question with the best passages that fit, and their number; one alone may be cut short."""
        model = self.chat_model

        def build(index: int, number: int) -> list[Message]:
            return self._chat(questions[index], [hit.passage for hit in found[index][:number]])

        chats, kept = model.fit(questions, [len(hits) for hits in found], build)
        for index, hits in enumerate(found):
            if hits and not kept[index] and not hits[0].passage.answer:  # half of a solved example has no answer
                question, best = questions[index], hits[0].passage
                text = longest_beginning(
                    best.text,
                    lambda cut: model.fits(question, self._chat(question, [replace(best, text=cut)])),  # noqa: B023
                )
                if text:
                    chats[index], kept[index] = self._chat(question, [replace(best, text=text)]), 1
                    model.fitted.num_cut += 1
        return chats, kept

    def _chat(self, question: Example, passages: Sequence[Passage]) -> list[Message]:
        shots = self._prompt.shots(passages)
        return self.chat_model.opening.chat(self._with_passages(question, passages), shots=shots)

    def _with_passages(self, question: Example, passages: Sequence[Passage]) -> list[Message]:
        """The conversation with the passages in its last user turn."""
        conversation = question.conversation
        last = max((i for i, message in enumerate(conversation) if message["role"] == "user"), default=None)
        if last is not None:
            content = self._prompt.user(conversation[last]["content"], passages)
            conversation[last] = {**conversation[last], "content": content}
        return conversation
