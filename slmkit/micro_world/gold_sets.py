"""Frozen and live example sets of the world: the same families as the corpus, drawn in a namespace of their own.

gold/<family>/ holds what `freeze` wrote once; a test draws it again and compares. A live set is a gold set of another
seed: the same difficulty, items nobody has seen.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from slmkit.gold.gold_set import freeze_gold
from slmkit.micro_world import families, tickets
from slmkit.micro_world.engine import Doc, Split, rng
from slmkit.micro_world.reader import reread
from slmkit.types import Example, Task

NUM_DEV = 100
# few questions, or facts to know: the corpus asks them too
_TAUGHT = ("arithmetic", "canon", "say", "skills", "tools")


@dataclass(frozen=True)
class Drawn:
    """Examples that engine and re-reader agree on, the passages they need, and what was left out."""

    examples: list[Example]
    passages: dict[str, str]
    num_duplicates: int
    num_disagreed: int


def draw(family: str, split: Split, count: int, *, seed: int = 0, but: Collection[str] = ()) -> Drawn:
    """`count` examples of a family whose answer the re-reader confirms, with none of the ids in `but`."""
    examples: dict[str, Example] = {}
    passages: dict[str, str] = {}
    num_duplicates = num_disagreed = 0
    for doc in _docs(family, split, seed):
        example = to_example(doc)
        if example.id in examples or example.id in but:
            num_duplicates += 1
        elif reread(doc) != doc.turns[0].answer:
            num_disagreed += 1
        else:
            examples[example.id] = example
            passages.update(doc.passages)
        if len(examples) == count:
            break
    return Drawn(list(examples.values()), passages, num_duplicates, num_disagreed)


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


def freeze(family: str, folder: Path) -> None:
    """Freezes a family's gold set, with documents.jsonl where passages hold the answers."""
    what = families.FAMILIES[family]
    gold = draw(family, "gold", what.num_gold)
    dev = draw(family, "dev", NUM_DEV, but={example.id for example in gold.examples})
    freeze_gold(
        folder,
        examples=gold.examples,
        dev=dev.examples,
        task=Task(family, instruction=what.instruction),
        source="drawn by slmkit/data/world in the namespace gold",
        rules=what.rules,
        licence="Apache-2.0",
        extra={
            "metric": "exact_match",
            "disagreed": gold.num_disagreed + dev.num_disagreed,
            **({"taught": True} if family in _TAUGHT else {}),
        },
    )
    passages = documents(family, {**gold.passages, **dev.passages})
    if passages:
        write_documents(folder / "documents.jsonl", passages)


def documents(family: str, passages: Mapping[str, str]) -> Mapping[str, str]:
    """The documents that hold a family's answers: the house's handbook, or today's notes, `passages` among them."""
    if family in ("tickets", "drift"):
        return dict(tickets.handbook())
    return {**families.all_of_today(), **passages} if family in ("fresh", "fresh_tickets") else passages


def write_documents(path: Path, passages: Mapping[str, str]) -> None:
    """Writes passages as lines {"id", "text"}."""
    rows = [json.dumps({"id": key, "text": text}) for key, text in sorted(passages.items())]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _docs(family: str, split: Split, seed: int) -> Iterator[Doc]:
    for number in itertools.count():
        yield families.FAMILIES[family].draw(rng(split, seed, family, number), split)
