"""Synthetic data from the micro-world, so that every lesson has data whose truth is known."""

from __future__ import annotations

from typing import Literal

from slmkit.data.world.families import FAMILIES
from slmkit.data.world.gold import documents, draw
from slmkit.errors import SlmkitError
from slmkit.run import Run


def world(
    run: Run, *, family: str = "tickets", split: Literal["train", "live"] = "train", num_examples: int = 1000
) -> None:
    """Draws rows of one family of the micro-world, with the documents that hold its answers.

    data.jsonl holds {"id", "input", "target", ...} and documents.jsonl {"id", "text"}. The split "live" draws from the
    names and wordings of the gold sets with the run's seed: examples that no frozen set contains.
    """
    drawn = draw(family, split, num_examples, seed=run.seed)
    run.table("data", [example.to_dict() for example in drawn.examples])
    passages = documents(family, drawn.passages)
    if passages:
        run.table("documents", [{"id": key, "text": text} for key, text in passages.items()])
    run.metric(
        rows=float(len(drawn.examples)), duplicates=float(drawn.num_duplicates), disagreed=float(drawn.num_disagreed)
    )
    run.note(f"{len(drawn.examples):,} rows of {family}, {len(passages):,} documents")


def check(*, family: str = "tickets", **_: object) -> None:
    """Refuses a family that is not there before anything runs."""
    if family not in FAMILIES:
        raise SlmkitError(
            f"no family {family!r} in the micro-world", where="with.family", fix=f"one of: {', '.join(FAMILIES)}"
        )
