"""Frozen and live example sets of the world: the same families as the corpus, drawn in a namespace of their own.

gold/<family>/ holds what `freeze` wrote once; a test draws it again and compares. A live set is a gold set of another
seed: the same difficulty, items nobody has seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path

from slmkit.data.world import families
from slmkit.data.world.engine import Doc, Split, rng
from slmkit.data.world.reader import reread
from slmkit.types import Example

NUM_GOLD, NUM_DEV = 200, 100


@dataclass(frozen=True)
class Drawn:
    """Examples that engine and re-reader agree on, the passages they need, and how many were dropped."""

    examples: list[Example]
    passages: list[tuple[str, str]]
    num_dropped: int


def draw(family: str, split: Split, count: int, *, seed: int = 0) -> Drawn:
    """`count` examples of a family whose answer the re-reader confirms; the seed moves train and live sets only."""
    examples: dict[str, Example] = {}
    passages: dict[str, str] = {}
    num_dropped = 0
    for doc in _docs(families.FAMILIES[family], family, split, seed):
        example = to_example(doc)
        if reread(doc) != doc.turns[0].answer or example.id in examples:
            num_dropped += 1
            continue
        examples[example.id] = example
        passages.update(doc.passages)
        if len(examples) == count:
            return Drawn(list(examples.values()), list(passages.items()), num_dropped)
    raise AssertionError("the stream of documents has no end")


def to_example(doc: Doc) -> Example:
    """The document as one question: notes and question as the user's turn, its id the hash of that text."""
    text = f"{doc.notes}\n{doc.turns[0].question}" if doc.notes else doc.turns[0].question
    return Example(
        id=blake2b(text.encode(), digest_size=6).hexdigest(),
        input=text,
        target=doc.turns[0].answer,
        relevant=doc.relevant,
        slice=doc.slice,
    )


def freeze(family: str, folder: Path) -> int:
    """Writes examples.jsonl, dev.jsonl, documents.jsonl where there are passages, and card.yaml; returns the dropped."""
    gold, dev = draw(family, "gold", families.FAMILIES[family].num_gold), draw(family, "dev", NUM_DEV)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "examples.jsonl", [example.to_dict() for example in gold.examples])
    _write(folder / "dev.jsonl", [example.to_dict() for example in dev.examples])
    passages = [{"id": key, "text": text} for key, text in dict([*gold.passages, *dev.passages]).items()]
    if passages:
        _write(folder / "documents.jsonl", passages)
    (folder / "card.yaml").write_text(_card(family, folder, len(gold.examples)), encoding="utf-8")
    return gold.num_dropped + dev.num_dropped


def _docs(family: families.Family, name: str, split: Split, seed: int) -> Iterator[Doc]:
    number = 0
    while True:
        yield family.draw(rng(split, seed, name, number), split)
        number += 1


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _card(name: str, folder: Path, count: int) -> str:
    family = families.FAMILIES[name]
    digest = sha256((folder / "examples.jsonl").read_bytes()).hexdigest()
    instruction = json.dumps(family.instruction)
    return f"""\
name: {name}
kind: generation
instruction: {instruction}
labels: []
rules: {json.dumps(family.rules)}
source: drawn by slmkit/data/world, namespace gold, seed 0
licence: Apache-2.0
count: {count}
sha256: {digest}
created: 2026-11-22
"""
