"""Retrieval-augmented generation: a chat model answers with retrieved passages in its prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slmkit.data.documents import stored_passages
from slmkit.errors import SlmkitError
from slmkit.retrievers.bm25 import bm25
from slmkit.systems._chat import ChatModel, ChatOptions
from slmkit.types import (
    Answer,
    Example,
    Hit,
    Input,
    Keys,
    Message,
    Model,
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
    notes: str = "{passages}\n{input}",
    chat: Keys[ChatOptions] = ChatOptions(),
) -> System:
    """Asks a chat model, with the top_k passages retrieved from `documents` before the question.

    documents: a prepared run, a documents.jsonl of {"id", "text"} lines, or a folder of texts.
    notes: template of the user message with {passages} (one per line, best first) and {input}.
    The keys from instruction on: as in `prompt`.
    """
    _check_notes(notes)
    return _Rag(ChatModel(task, model, chat), documents, retriever, top_k, notes)


@dataclass(frozen=True)
class _Rag:
    chat_model: ChatModel
    documents: Path
    retriever: RetrieverPart
    top_k: int
    template: str  # of the user message

    @property
    def about(self) -> dict[str, str]:
        return self.chat_model.about

    @property
    def notes(self) -> list[str]:
        return self.chat_model.notes

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        index = self.index
        start = time.perf_counter()
        found = index.search([question.input for question in questions], top_k=self.top_k)
        opening = self.chat_model.opening
        chats = [
            opening.chat(self._with_passages(question, hits)) for question, hits in zip(questions, found, strict=True)
        ]
        seconds = time.perf_counter() - start
        ids = [tuple(hit.passage.id for hit in hits) for hits in found]
        return self.chat_model.answer(questions, chats, passages=ids, preparing_seconds=seconds, on_answer=on_answer)

    @cached_property
    def index(self) -> Retriever:
        return self.retriever(stored_passages(self.documents))

    def _with_passages(self, question: Example, hits: Sequence[Hit]) -> list[Message]:
        """The conversation with the passages in its last user turn."""
        conversation = question.conversation
        last = max((i for i, message in enumerate(conversation) if message["role"] == "user"), default=None)
        if last is not None:
            content = self._user(conversation[last]["content"], hits)
            conversation[last] = {**conversation[last], "content": content}
        return conversation

    def _user(self, question: str, hits: Sequence[Hit]) -> str:
        """The user message; only the question if nothing was found."""
        passages = "\n".join(hit.passage.text for hit in hits)
        return self.template.format(passages=passages, input=question) if hits else question


def _check_notes(notes: str) -> None:
    try:
        shown = notes.format(passages="PASSAGES", input="QUESTION")
    except (KeyError, IndexError, ValueError):
        shown = ""
    if "PASSAGES" not in shown or "QUESTION" not in shown:
        raise SlmkitError(
            f"invalid value for notes: {notes!r}",
            fix="use both {passages} and {input} and no other placeholder; write {{ for a brace",
        )
