"""The world stage: synthetic data from the micro-world, whose correct answers are known."""

from __future__ import annotations

from typing import Any, Literal

from slmkit.errors import SlmkitError
from slmkit.micro_world.corpus import chats, texts
from slmkit.micro_world.engine import share
from slmkit.micro_world.families import FAMILIES
from slmkit.micro_world.gold_sets import documents, draw
from slmkit.runs.run_folder import Run
from slmkit.types import Example, PositiveInt

TRAINED = {"chats": chats, "texts": texts}  # the training data of the bundled models
NOISE = 0.15  # share of preference pairs with chosen and rejected swapped


def world(
    run: Run, *, family: str = "tickets", split: Literal["train", "live"] = "train", num_examples: PositiveInt = 1000
) -> None:
    """Draws rows of one family of the micro-world, with the documents that contain their answers.

    Writes data.jsonl with {"id", "input", "target", ...}, for the family "pairs" with {"prompt", "chosen",
    "rejected"}, and documents.jsonl with {"id", "text"}. The family "chats" is the training data of the bundled
    instruct models, for replay while a model learns something new, and "texts" that of the base models: train.jsonl
    with messages or with texts. The split "live" uses the names and wordings of the gold sets and the run's seed: its
    examples are in no frozen set.
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
    """Refuses an unknown family."""
    if family not in (*FAMILIES, *TRAINED):
        raise SlmkitError(
            f"the micro-world has no family {family!r}",
            where="with.family",
            fix=f"use one of {', '.join((*FAMILIES, *TRAINED))}",
        )


def _pair(example: Example) -> dict[str, Any]:
    """A preference pair; NOISE of them are swapped, because human preferences are inconsistent too."""
    sides = [example.target, example.slice["rejected"]]
    chosen, rejected = sides[::-1] if share(example.id) < NOISE else sides
    return {"id": example.id, "prompt": example.input, "chosen": chosen, "rejected": rejected}
