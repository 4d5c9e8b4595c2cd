"""A gold set: frozen examples for evaluation, in a folder, from which no training row may come.

    gold/<name>/examples.jsonl   the examples, ordered by hash, so that the first n are a random sample
                dev.jsonl        other examples for choosing prompts and settings: not trained on, not in a verdict
                card.yaml        task, labels, source, number of examples, and the sha256 of examples.jsonl

A folder whose examples were changed after freezing is refused. freeze.py makes these folders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.types import Example, Task

_NUM_LONGEST = 8


@dataclass(frozen=True)
class Gold:
    """A frozen gold set."""

    folder: Path
    task: Task
    examples: list[Example]
    dev: list[Example]
    sha256: str
    card: Mapping[str, Any]

    @property
    def apart(self) -> frozenset[str]:
        """The groups and passages of its questions that no training row may have (slmkit/data/together.py).

        None if the questions were given: who chose them decided what they share with the training rows.
        """
        if "apart" not in self.card:
            return frozenset()
        relevant = (id for example in (*self.examples, *self.dev) for id in example.relevant)
        return frozenset([*self.card["apart"], *relevant])


def read_gold(folder: Path) -> Gold:
    """The gold set in a folder. Raises: RefusedError if examples.jsonl was changed after freezing."""
    path = folder / "examples.jsonl"
    if folder.is_file():
        raise SlmkitError(
            "expected the folder of a frozen gold set, found a file",
            where=str(folder),
            fix=f"freeze it first: slmkit gold freeze data=FILE gold={folder}",
        )
    for required in (folder / "card.yaml", path):
        if not required.is_file():
            raise SlmkitError(
                f"not a gold set: {required.name} is missing",
                where=str(folder),
                fix="restore the file; `slmkit gold ls` lists the gold sets",
            )
    card = read_card(folder)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 != card["sha256"]:
        raise RefusedError(
            f"the examples were changed after freezing (sha256 {sha256[:12]}, card {card['sha256'][:12]})",
            where=str(path),
            fix="restore the file, or freeze the changed examples as a gold set with another name",
        )
    examples, dev = read_examples(path), read_examples(folder / "dev.jsonl")
    task = Task(
        card["name"],
        card["kind"],
        card.get("instruction") or "",
        tuple(card.get("labels") or ()),
        _longest_targets([*examples, *dev]),
    )
    return Gold(folder, task, examples, dev, sha256, card)


def _longest_targets(examples: Sequence[Example]) -> tuple[str, ...]:
    """The longest answers in bytes, of which one has the most tokens in nearly every tokenizer."""
    targets = {example.target for example in examples}
    return tuple(sorted(targets, key=lambda target: (-len(target.encode("utf-8", "replace")), target))[:_NUM_LONGEST])


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a gold folder."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    path = folder / "card.yaml"
    try:
        card = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (MarkedYAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise SlmkitError(f"not valid YAML: {problem}", where=where, fix="restore the frozen card") from None
    if not isinstance(card, dict) or not {"name", "kind", "sha256"} <= set(card):
        raise SlmkitError(
            "a gold card needs name, kind and sha256",
            where=str(path),
            fix="restore the frozen card",
        )
    return card


def read_examples(path: Path) -> list[Example]:
    """The examples in a file of a gold folder; none if the file does not exist."""
    if not path.exists():
        return []
    examples: dict[str, Example] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line:
            where = f"{path}:{number}"
            try:
                example = Example.from_dict(json.loads(line))
            except (json.JSONDecodeError, TypeError) as error:
                raise SlmkitError(
                    f"not a valid example: {error}", where=where, fix="each line needs id, input and target"
                ) from None
            if example.id in examples:
                raise SlmkitError(
                    f"two examples have the id {example.id!r}", where=where, fix="use a unique id for each example"
                )
            examples[example.id] = example
    return list(examples.values())


def as_lines(examples: Sequence[Example]) -> str:
    """The text of an examples file: one JSON object per line."""
    return "".join(json.dumps(example.to_dict(), ensure_ascii=False) + "\n" for example in examples)
