"""The passages a retriever searches, cut from documents: a folder, a Markdown, text or HTML file, or rows with a text.

A passage is some whole paragraphs (or sentences of a long one) of one document, at most chunk_size words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from slmkit.data.read import Say, read_rows
from slmkit.errors import SlmkitError
from slmkit.types import Passage

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9À-Ý])")
_TEXT_COLUMNS = ("text", "content", "body", "passage", "context", "abstract")
_NAME_COLUMNS = ("id", "_id", "doc_id", "path", "title", "url")


def read_passages(
    path: Path,
    *,
    chunk_size: int = 120,
    chunk_overlap: int = 0,
    encoding: str = "auto",
    on_note: Say | None = None,
) -> list[Passage]:
    """The passages of every document at `path`, of which an empty one has none; chunk_size, chunk_overlap: words.

    A document's id is its path or its row's id; its passages are id#0, id#1, … where it has more than one.
    """
    if not 0 <= chunk_overlap < chunk_size:
        raise SlmkitError(
            f"chunk_overlap={chunk_overlap} must be smaller than chunk_size={chunk_size}", fix="set chunk_overlap=0"
        )
    found: list[Passage] = []
    for row in read_rows(own_documents(path) or path, encoding=encoding, on_note=on_note):
        text = next((row.values[name] for name in _TEXT_COLUMNS if isinstance(row.values.get(name), str)), None)
        if text is None:
            raise SlmkitError(
                f"a document without a text; columns: {', '.join(row.values)}",
                where=row.where,
                fix='give a folder of documents, or rows with "id" and "text"',
            )
        name = str(
            next((row.values[name] for name in _NAME_COLUMNS if row.values.get(name)), f"{path.stem}:{row.line}")
        )
        pieces = chunk(text, chunk_size=chunk_size, chunk_overlap=chunk_overlap)
        found += [Passage(name if len(pieces) == 1 else f"{name}#{i}", piece) for i, piece in enumerate(pieces)]
    return found


def stored_passages(documents: Path) -> list[Passage]:
    """The passages as a prepared run has cut them, else cut here."""
    path = documents / "documents.jsonl" if documents.is_dir() else documents
    if path.name != "documents.jsonl" or not path.exists():
        return read_passages(documents)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [Passage(str(row["id"]), row["text"]) for row in rows]


def own_documents(folder: Path) -> Path | None:
    """The documents that came with the data of a run's folder."""
    path = folder / "documents.jsonl"
    return path if path.is_file() else None


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph, by end marks followed by a capital or a digit."""
    return [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence.strip()]


def chunk(text: str, *, chunk_size: int = 120, chunk_overlap: int = 0) -> list[str]:
    """The text in pieces of at most chunk_size words, cut between paragraphs, else sentences, else words.

    Each piece begins with the last chunk_overlap words of the one before.
    """
    pieces: list[str] = []
    current: list[str] = []  # units of the piece being filled
    words = 0
    for unit in _units(text, chunk_size - chunk_overlap):
        length = len(unit.split())
        if current and words + length > chunk_size:
            pieces.append("\n".join(current))
            tail = " ".join(" ".join(current).split()[-chunk_overlap:]) if chunk_overlap else ""
            current, words = ([tail], chunk_overlap) if tail else ([], 0)
        current.append(unit)
        words += length
    if current:
        pieces.append("\n".join(current))
    return pieces


def _units(text: str, most: int) -> Iterator[str]:
    """Paragraphs; of a paragraph above `most` words its sentences; of a sentence above that, runs of words."""
    for paragraph in re.split(r"\n\s*\n", text):
        if len(paragraph.split()) <= most:
            units = [paragraph.strip()]
        else:
            units = split_sentences(paragraph)
        for unit in units:
            words = unit.split()
            if len(words) <= most:
                if unit:
                    yield unit
            else:
                for start in range(0, len(words), most):
                    yield " ".join(words[start : start + most])
