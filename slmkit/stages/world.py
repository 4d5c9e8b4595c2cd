"""Synthetic data from the micro-world, so that every lesson has data whose truth is known."""

from __future__ import annotations

from typing import Any, Literal

from slmkit.errors import SlmkitError
from slmkit.micro_world.corpus import chats, texts
from slmkit.micro_world.engine import share
from slmkit.micro_world.families import FAMILIES
from slmkit.micro_world.gold_sets import documents, draw
from slmkit.runs.run import Run
from slmkit.types import Example, PositiveInt

TRAINED = {"chats": chats, "texts": texts}  # what the embedded models were made from
NOISE = 0.15  # share of the preferences that point the wrong way


def world(
    run: Run, *, family: str = "tickets", split: Literal["train", "live"] = "train", num_examples: PositiveInt = 1000
) -> None:
    """Draws rows of one family of the micro-world, with the documents that hold its answers.

    data.jsonl holds {"id", "input", "target", ...} and documents.jsonl {"id", "text"}; of pairs, data.jsonl holds
    {"prompt", "chosen", "rejected"}. The family "chats" is what the instruct models were taught, to replay while a
    model learns something new, and "texts" what the base models read: train.jsonl of messages, or of texts. The
    split "live" draws from the names and wordings of the gold sets with the run's seed: examples in no frozen set.
    """
    if family in TRAINED:
        run.table("train", TRAINED[family]("train", num_examples, seed=run.seed))
        run.metric(rows=float(num_examples))
        return
    drawn = draw(family, split, num_examples, seed=run.seed)
    run.table("data", map(_pair if family == "pairs" else Example.to_dict, drawn.examples))
    passages = documents(family, drawn.passages)
    if passages:
        run.table("documents", [{"id": key, "text": text} for key, text in passages.items()])
    run.metric(
        rows=float(len(drawn.examples)), duplicates=float(drawn.num_duplicates), disagreed=float(drawn.num_disagreed)
    )
    run.note(f"{len(drawn.examples):,} rows of {family}, {len(passages):,} documents")


def check(*, family: str = "tickets", **_: object) -> None:
    """Refuses a family that is not there before anything runs."""
    if family not in (*FAMILIES, *TRAINED):
        raise SlmkitError(
            f"no family {family!r} in the micro-world",
            where="with.family",
            fix=f"one of {', '.join((*FAMILIES, *TRAINED))}",
        )


def _pair(example: Example) -> dict[str, Any]:
    """A preference; one in seven is turned around, as people who choose disagree with themselves."""
    sides = [example.target, example.slice["rejected"]]
    chosen, rejected = sides[::-1] if share(example.id) < NOISE else sides
    return {"id": example.id, "prompt": example.input, "chosen": chosen, "rejected": rejected}
