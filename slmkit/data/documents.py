"""Cuts documents into the passages that a retriever searches.

Documents are a folder, a Markdown, text or HTML file, or rows with a text. A passage contains whole paragraphs of one
document, or sentences of a long paragraph, and has at most chunk_size words or tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.reading.beir import beir_folder, document_text, is_beir
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.read import read_rows
from slmkit.errors import SlmkitError, counted
from slmkit.files import read_jsonl
from slmkit.text.identity import text_hash
from slmkit.text.sentences import split_sentences
from slmkit.text.words import is_unspaced, word_spans
from slmkit.types import Passage

Rewrite = Callable[[str], str]
Spans = Callable[[str], Sequence[tuple[int, int]]]  # (start, end) of each word or token of a text

_TEXT_COLUMNS = ("text", "content", "body", "passage", "context", "abstract")
_NAME_COLUMNS = ("id", "_id", "doc_id", "path", "title", "url")


def read_passages(
    path: Path,
    *,
    chunk_size: int = 120,
    chunk_overlap: int = 0,
    tokenizer: Any = None,  # of transformers, which is untyped
    encoding: str = "auto",
    rewrite: Rewrite = str,
    on_note: OnNote | None = None,
) -> list[Passage]:
    """The passages of all documents at `path`, each document rewritten before it is cut; an empty one has none.

    chunk_size, chunk_overlap: in words (of Chinese or Thai: see slmkit.text.words.word_spans), or with a tokenizer in
    its tokens.
    A document's id is its path or the id of its row. If it has several passages, they are id#0, id#1, …
    """
    if not 0 <= chunk_overlap < chunk_size:
        raise SlmkitError(
            f"chunk_overlap={chunk_overlap} must be smaller than chunk_size={chunk_size}", fix="set chunk_overlap=0"
        )
    source = own_documents(path) or path
    if source.name == "corpus.jsonl" and is_beir(source.parent):
        return _whole_documents(source, encoding=encoding, rewrite=rewrite, on_note=on_note)
    spans = _tokens_of(tokenizer) if tokenizer else word_spans
    found: list[Passage] = []
    num_unspaced = 0  # documents
    for row in read_rows(source, encoding=encoding, on_note=on_note):
        text = next((row.values[name] for name in _TEXT_COLUMNS if isinstance(row.values.get(name), str)), None)
        if text is None:
            raise SlmkitError(
                f"no text column in the documents. Columns: {', '.join(row.values)}",
                where=row.where,
                fix='use a folder of documents, or rows with "id" and "text"',
            )
        name = str(
            next((row.values[name] for name in _NAME_COLUMNS if row.values.get(name)), f"{path.stem}:{int(row.line)}")
        )
        text = rewrite(text)
        pieces = chunk(text, chunk_size=chunk_size, chunk_overlap=chunk_overlap, spans=spans)
        num_unspaced += len(pieces) > 1 and not tokenizer and is_unspaced(text)
        found += [Passage(name if len(pieces) == 1 else f"{name}#{i}", piece) for i, piece in enumerate(pieces)]
    if num_unspaced and on_note:
        on_note(
            f"{counted(num_unspaced, 'document')} without spaces between words cut by characters: 2 of Chinese or "
            "Japanese, 4 of Thai, Lao, Khmer or Burmese count as a word of chunk_size"
        )
    return found


def _whole_documents(corpus: Path, *, encoding: str, rewrite: Rewrite, on_note: OnNote | None) -> list[Passage]:
    """The documents of a BEIR corpus, uncut, as the queries' relevance is about whole ones."""
    texts = (document_text(row.values) for row in read_rows(corpus, encoding=encoding, on_note=on_note))
    found = _rewritten(texts, rewrite)
    if on_note:
        on_note(f"{corpus.parent.name}/{corpus.name}: {counted(len(found), 'document')} of BEIR, searched uncut")
    return found


def stored_passages(documents: Path) -> list[Passage]:
    """The passages of a prepare run's folder; other documents are cut into passages now."""
    path = documents / "documents.jsonl" if documents.is_dir() else documents
    if path.name != "documents.jsonl" or not path.exists():
        return read_passages(documents)
    return [Passage.from_dict(row) for row in read_jsonl(path)]


def own_documents(folder: Path) -> Path | None:
    """The documents.jsonl of a run's folder, the corpus of a BEIR folder or of a file in its qrels/, or None."""
    path = folder / "documents.jsonl"
    if path.is_file():
        return path
    beir = folder if is_beir(folder) else beir_folder(folder)
    return beir / "corpus.jsonl" if beir else None


def passages_of_rows(
    rows: Sequence[CanonicalRow], *, train: Iterable[tuple[str, CanonicalRow]], rewrite: Rewrite = str
) -> list[Passage]:
    """The distinct passages that the rows refer to, rewritten; if there are none, each training row as a passage.

    train: the training rows, each with its id.
    """
    texts = [row.passage for row in rows if row.passage]
    if texts:
        return _rewritten(texts, rewrite)
    return [Passage(id, f"{row.input}\n{row.target}".strip(), row.target) for id, row in train]


def _rewritten(texts: Iterable[str], rewrite: Rewrite) -> list[Passage]:
    """The distinct texts, rewritten. Their ids are those of the original ones, by which gold sets refer to them."""
    found = [Passage(passage_id(text), rewrite(text)) for text in dict.fromkeys(texts) if text]
    return [passage for passage in found if passage.text.strip()]


def passage_id(text: str) -> str:
    """The id of a passage that is part of a data row: a hash of its text, the same in prepare and the gold set."""
    return f"passage-{text_hash(text)}"


def is_passage_id(id: str) -> bool:
    """Whether an id is one of passage_id."""
    return re.fullmatch(r"passage-[0-9a-f]{16}", id) is not None


def chunk(text: str, *, chunk_size: int = 120, chunk_overlap: int = 0, spans: Spans = word_spans) -> list[str]:
    """The text in pieces of at most chunk_size words or tokens, cut between paragraphs, sentences or words.

    Each piece begins with the last chunk_overlap words of the previous one.
    """
    between = len(spans("\n"))  # 0 words, but 1 token
    pieces: list[str] = []
    current: list[str] = []  # units of the current piece
    filled = 0
    most = max(1, chunk_size - (chunk_overlap + between if chunk_overlap else 0))
    for unit, length in _units(text, most, spans):
        if current and filled + between + length > chunk_size:
            pieces.append("\n".join(current))
            tail = _last(" ".join(current), chunk_size - most - between if chunk_overlap else 0, spans)
            current, filled = ([tail], len(spans(tail))) if tail else ([], 0)
        filled += length + (between if current else 0)
        current.append(unit)
    if current:
        pieces.append("\n".join(current))
    return pieces


def _units(text: str, most: int, spans: Spans) -> Iterator[tuple[str, int]]:
    """Paragraphs with their lengths; a paragraph above `most` words as sentences, a long sentence as runs of words."""
    for paragraph in map(str.strip, re.split(r"\n\s*\n", text)):
        length = len(spans(paragraph))
        if length <= most:
            if paragraph:
                yield paragraph, length
            continue
        for unit in split_sentences(paragraph):
            found = spans(unit)
            if len(found) <= most:
                yield unit, len(found)
            else:
                yield from _runs(unit, found, most, spans)


def _runs(text: str, found: Sequence[tuple[int, int]], most: int, spans: Spans) -> Iterator[tuple[str, int]]:
    """The text in runs of at most `most` words or tokens, with their lengths.

    A run is tokenized again: without the text before it, it may have more tokens than it had in place.
    """
    first = start = 0
    while first < len(found):
        for count in range(min(most, len(found) - first), 0, -1):
            end = found[first + count - 1][1]
            run = " ".join(text[start:end].split())
            length = len(spans(run))
            if length <= most:
                break
        if run:  # empty if several tokens encode one character
            yield run, length
        first, start = first + count, end


def _last(text: str, count: int, spans: Spans) -> str:
    """The end of the text, at most `count` words or tokens; a cut inside a character can add tokens."""
    found = spans(text)
    for start, _ in found[max(0, len(found) - count) :]:
        last = " ".join(text[start:].split())
        if len(spans(last)) <= count:
            return last
    return ""


def _tokens_of(tokenizer: Any) -> Spans:
    def spans(text: str) -> list[tuple[int, int]]:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return list(encoded["offset_mapping"])

    return spans
