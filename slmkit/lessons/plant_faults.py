"""Spoils training data in two known ways, so that a lesson can find and mend them: planted, and said to be."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.run import Run
from slmkit.types import Input

Row = dict[str, Any]


def plant_faults(run: Run, *, data: Input, wrong: list[str], missing: list[str], wrong_share: float = 0.8) -> None:
    """Gives letters of the slice `wrong` the code and team of another letter, and leaves the slice `missing` out.

    data: a run with data.jsonl whose rows carry a `slice`. wrong and missing: e.g. [topic=delivery, urgency=now].
    wrong_share: of the rows of the slice `wrong` that are spoilt.
    """
    rows = read_rows(data)
    r = random.Random(run.seed)
    others = [row for row in rows if not is_in(row["slice"], wrong)]
    spoilt, kept = 0, []
    for row in rows:
        if is_in(row["slice"], missing):
            continue
        if is_in(row["slice"], wrong) and r.random() < wrong_share:
            spoilt += 1
            row = row | {"target": misfiled(row["target"], as_in=r.choice(others)["target"])}  # noqa: PLW2901
        kept.append(row)
    run.table("data", kept)
    run.note(f"planted: {spoilt} of {len(kept)} rows have a wrong answer, {len(rows) - len(kept)} rows are missing")
    run.metric(rows=len(kept), wrong_answers=spoilt, missing_rows=len(rows) - len(kept))


def misfiled(target: str, *, as_in: str) -> str:
    """The letter's line with code and team of another: only the reply is still its own."""
    return "; ".join([*as_in.split("; ")[:2], *target.split("; ")[2:]])


def read_rows(data: Path) -> list[Row]:
    """The rows of a run's data.jsonl."""
    path = data / "data.jsonl"
    if not path.is_file():
        raise SlmkitError("there is no data.jsonl", where=str(data), fix="name a run of the world stage")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def is_in(has: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether something with these values belongs to a slice, e.g. ["topic=delivery"]; no slice holds nothing."""
    return bool(wanted) and all(f"{key}={has.get(key)}" == pair for pair in wanted for key in [pair.partition("=")[0]])
