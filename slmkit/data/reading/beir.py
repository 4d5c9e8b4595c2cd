"""Reads data sets for retrieval in the form of BEIR: a corpus, queries, and which documents are relevant to each.

    corpus.jsonl       {"_id": "d1", "title": "Cards", "text": "A new card arrives within …"}
    queries.jsonl      {"_id": "q1", "text": "Where is my card?"}
    qrels/test.tsv     query-id<tab>corpus-id<tab>score        one file per split

Each pair with a score above 0 becomes a row in SQuAD form: the query as the question, the document as its passage and
as its answer. Frozen as gold, the rows of a query become one example whose `relevant` names all its documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from slmkit.data.reading.open_file import suffix_of
from slmkit.errors import SlmkitError, counted

Values = tuple[dict[str, Any], int]


def beir_folder(file: Path) -> Path | None:
    """The BEIR folder of a qrels file, or None for any other file."""
    folder = file.parent.parent
    is_qrels = file.parent.name == "qrels" and suffix_of(file) == ".tsv" and is_beir(folder)
    return folder if is_qrels else None


def is_beir(folder: Path) -> bool:
    """Whether a folder holds a corpus, queries and qrels."""
    return (folder / "qrels").is_dir() and all((folder / name).is_file() for name in ("corpus.jsonl", "queries.jsonl"))


def beir_rows(
    pairs: Iterable[Values],
    queries: Iterable[Values],
    corpus: Iterable[Values],
    *,
    qrels: Path,
    on_note: Callable[[str], None],
) -> Iterator[Values]:
    """One row per relevant pair, with its line in the qrels file. Only the relevant documents are kept in memory."""
    relevant: list[tuple[str, str, int]] = []
    num_pairs = 0
    for values, line in pairs:
        num_pairs += 1
        query, document, score = _pair(values, f"{qrels}:{line}")
        if score > 0:
            relevant.append((query, document, line))
    asked, named = {query for query, _, _ in relevant}, {document for _, document, _ in relevant}
    questions = {id: str(one.get("text") or "").strip() for one, _ in queries if (id := str(one.get("_id"))) in asked}
    texts = {id: document_text(one) for one, _ in corpus if (id := str(one.get("_id"))) in named}
    num_missing = sum(not questions.get(query) or not texts.get(document) for query, document, _ in relevant)
    if num_missing == len(relevant):
        raise SlmkitError(
            f"none of the {counted(num_pairs, 'pair')} names a query and a document that exist, with a score above 0",
            where=str(qrels),
            fix="compare the ids with _id in queries.jsonl and corpus.jsonl",
        )
    on_note(
        f"{qrels.parent.parent.name}/{qrels.parent.name}/{qrels.name}: {counted(len(relevant) - num_missing, 'pair')}"
        f" of a query and a relevant document (BEIR), {counted(len(asked), 'question')}; any score above 0 is relevant"
        + (f"; left out: {counted(num_missing, 'pair')}, query or document missing or empty" if num_missing else "")
    )
    for query, document, line in relevant:
        question, text = questions.get(query), texts.get(document)
        if question and text:
            asks = {"id": query, "question": question, "answers": [{"text": text}]}
            yield {"title": document, "paragraphs": [{"context": text, "qas": [asks]}]}, line


def document_text(values: dict[str, Any]) -> str:
    """The text of a corpus document: its title, if it has one, above its text."""
    parts = (str(values.get(name) or "").strip() for name in ("title", "text"))
    return "\n".join(part for part in parts if part)


def _pair(values: dict[str, Any], where: str) -> tuple[str, str, float]:
    cells = list(values.values())
    try:
        query, document, score = (
            cells if len(cells) == 3 else (cells[0], cells[2], cells[3])
        )  # TREC: query 0 doc score
        return str(query), str(document), float(score)
    except (IndexError, TypeError, ValueError):
        fix = "write query-id, corpus-id and score, separated by tabs, below a header line"
        raise SlmkitError(f"expected a query, a document and a score, found {cells}", where=where, fix=fix) from None
