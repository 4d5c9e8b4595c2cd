"""Retrieval-augmented generation step by step: chunk, retrieve, read, answer; each step is measured separately.

The steps are those of slmkit/systems/rag.py, written out; at the best chunk size both must give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.data.documents import chunk
from slmkit.errors import SlmkitError
from slmkit.evaluation.lesson_arms import LessonArm, ask_arms
from slmkit.files import read_jsonl
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import Device, Dtype
from slmkit.retrievers.bm25 import bm25
from slmkit.runs.run_folder import Run
from slmkit.systems import ChatOptions
from slmkit.systems.prompt import prompt
from slmkit.systems.rag import rag
from slmkit.types import Example, Input, Model, Passage, PositiveInt, System, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_UNKNOWN = "the notes do not say"
_NUM_COMPARED = 20  # questions that slmkit/systems/rag.py answers too


@dataclass(frozen=True)
class Retrieved:
    """Questions as the model sees them, with the retrieved chunks in front, and the chunks of each."""

    questions: list[Example]
    chunks: list[list[str]]


def rag_pipeline(
    run: Run,
    *,
    model: Model,
    gold: Input,
    documents: Input,
    chunk_sizes: list[int] = [4, 16, 48, 120],  # noqa: B006 - never mutated
    notes_per_page: PositiveInt = 20,
    top_k: PositiveInt = 3,
    limit: PositiveInt | None = None,
    sweep_limit: PositiveInt = 100,
    instruction: str | None = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Answers questions about today's facts from pages of notes, and measures how much each step loses.

    chunk_sizes: words per chunk; the best on the first sweep_limit questions is used.
    """
    frozen, notes = read_gold(gold), read_notes(documents)
    questions = frozen.examples[:limit]
    chat = ChatOptions(instruction=instruction, device=device, dtype=dtype)
    ask = partial(_ask, run, frozen, partial(prompt, model=model, chat=chat))

    # 1. Which chunk size gives the most correct answers?
    by_size = {size: chunk_pages(notes, size=size, per_page=notes_per_page) for size in chunk_sizes}
    sweep = {
        size: ask(f"chunks of {size}", retrieve(chunks, questions[:sweep_limit], top_k).questions)
        for size, chunks in by_size.items()
    }
    best = max(chunk_sizes, key=lambda size: sweep[size].score.value)

    # 2. Each step alone: no retrieval, retrieval, retrieval and reading, reading alone.
    closed = ask("closed book", questions)
    found = retrieve(by_size[best], questions, top_k)
    answered = ask("RAG", found.questions)
    recall = share(contains_answer(chunks, q) for chunks, q in zip(found.chunks, questions, strict=True))
    reading = ask("perfect retrieval", with_perfect_retrieval(found, questions, read_notes(gold)).questions)

    # 3. Without the notes that hold the answers, the model must say that it does not know.
    others = {name: text for name, text in notes.items() if not any(name in q.relevant for q in questions)}
    gaps = retrieve(chunk_pages(others, size=best, per_page=notes_per_page), questions, top_k)
    unanswerable = ask("unanswerable", [replace(q, target=_UNKNOWN) for q in gaps.questions])

    # 4. The library's RAG system gives the same answers from the same chunks.
    library = library_answers(run, by_size[best], partial(rag, model=model, top_k=top_k, chat=chat), frozen)
    steps = {
        "closed book": closed.score.value,
        "right note retrieved": recall,
        "right note read": reading.score.value,
        "RAG: retrieved and read": answered.score.value,
    }
    sizes = {size: arm.score.value for size, arm in sweep.items()}
    run.table("steps", [{"step": name, "share of the questions": value} for name, value in steps.items()])
    pieces = [
        {"words per chunk": size, "chunks": len(by_size[size]), "accuracy": right} for size, right in sizes.items()
    ]
    run.table("chunk_sizes", pieces)
    run.table("answers", answered.rows("RAG"))
    run.figure("which_step_loses_what", _chart(steps, sizes))
    run.metric(
        closed_book=closed.score,
        rag=answered.score,
        recall=recall,
        reading=reading.score,
        weakest_link_error=abs(answered.score.value - recall * reading.score.value),
        says_unknown=unanswerable.score,
        chunk_gain=max(sizes.values()) - min(sizes.values()),
        grounded=grounded(answered, found.chunks),
        same_as_library=share(a.text == b for a, b in zip(answered.answers, library, strict=False)),
    )


def read_notes(folder: Path) -> dict[str, str]:
    """Today's notes, keyed by the person they are about."""
    path = folder / "documents.jsonl"
    if not path.is_file():
        raise SlmkitError(
            "documents.jsonl is missing", where=str(folder), fix="use a folder that has one, such as gold/fresh"
        )
    rows = read_jsonl(path)
    return {row["id"]: row["text"] for row in rows}


def chunk_pages(notes: Mapping[str, str], *, size: int, per_page: int) -> list[Passage]:
    """Step 1: puts the notes on pages, and splits each page into chunks of at most `size` words."""
    texts = list(notes.values())
    pages = ["\n\n".join(texts[start : start + per_page]) for start in range(0, len(texts), per_page)]
    return [
        Passage(f"page {page_number}, chunk {chunk_number}", text)
        for page_number, page in enumerate(pages)
        for chunk_number, text in enumerate(chunk(page, chunk_size=size))
    ]


def retrieve(chunks: Sequence[Passage], questions: Sequence[Example], top_k: int) -> Retrieved:
    """Steps 2 and 3: retrieves the chunks with BM25 and puts them in front of the question."""
    hits = bm25(chunks).search([question.input for question in questions], top_k=top_k)
    found = [[hit.passage.text for hit in row] for row in hits]
    return Retrieved([with_chunks(texts, q) for texts, q in zip(found, questions, strict=True)], found)


def with_chunks(texts: Sequence[str], question: Example) -> Example:
    """The question as the model sees it: one chunk per line, then the question."""
    return replace(question, input="\n".join([*texts, question.input]))


def with_perfect_retrieval(found: Retrieved, questions: Sequence[Example], notes: Mapping[str, str]) -> Retrieved:
    """The questions with perfect retrieval: the note with the answer, and two of the retrieved chunks."""
    chunks = []
    for texts, question in zip(found.chunks, questions, strict=True):
        right = notes[question.relevant[0]]
        chunks.append([right, *[text for text in texts if text != right][:2]])
    return Retrieved([with_chunks(texts, q) for texts, q in zip(chunks, questions, strict=True)], chunks)


def contains_answer(chunks: Sequence[str], question: Example) -> bool:
    """Whether one chunk contains both the person asked about and the answer."""
    return any(question.relevant[0] in text and question.target in text for text in chunks)


def grounded(arm: LessonArm, chunks: Sequence[Sequence[str]]) -> float:
    """Of the answers other than "the notes do not say", the share found word for word in a retrieved chunk."""
    answered = [(answer.text.strip(), texts) for answer, texts in zip(arm.answers, chunks, strict=True)]
    return share(any(text in chunk for chunk in texts) for text, texts in answered if text != _UNKNOWN)


def share(facts: Iterable[bool]) -> float:
    """The share that is true."""
    listed = list(facts)
    return sum(listed) / max(1, len(listed))


def library_answers(run: Run, chunks: Sequence[Passage], system: Callable[..., System], gold: Gold) -> list[str]:
    """The answers of slmkit/systems/rag.py to the first questions, given the same chunks."""
    folder = run.table("chunks/documents", [{"id": chunk.id, "text": chunk.text} for chunk in chunks]).parent
    answers = system(gold.task, documents=folder).answer(gold.examples[:_NUM_COMPARED])
    return [answer.text for answer in answers]


def _ask(run: Run, gold: Gold, system: Callable[[Task], System], name: str, questions: Sequence[Example]) -> LessonArm:
    return ask_arms(run, gold, {name: system}, questions=questions)[name]


def _chart(steps: Mapping[str, float], sizes: Mapping[int, float]) -> Figure:
    figure, [left, right] = charts.panels(columns=2, height=2.6, width=7.2)
    left.barh(list(steps), list(steps.values()), color=charts.PALETTE[0], height=0.6)
    for y, value in enumerate(steps.values()):
        left.annotate(f"{value:.2f}", (value, y), (4, 0), textcoords="offset points", va="center", fontsize=9)
    left.invert_yaxis()
    left.set(xlabel="share of the questions", xlim=(0, 1.12))
    left.grid(axis="y", visible=False)
    right.plot(list(sizes), list(sizes.values()), "o-", color=charts.PALETTE[1], markersize=4)
    right.set(xscale="log", xlabel="words per chunk", ylabel="correct answers", ylim=(0, 1))
    right.set_xticks(list(sizes), [str(size) for size in sizes])
    right.minorticks_off()
    return figure
