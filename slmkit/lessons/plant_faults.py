"""Spoils training data in two known ways, so that a lesson can find and mend them: planted, and said to be."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.runs.run import Run
from slmkit.types import Input

Row = dict[str, Any]


def plant_faults(run: Run, *, data: Input, wrong: str, as_in: str, missing: list[str]) -> None:
    """Files the letters of one slice as if they were of another, and leaves the slice `missing` out.

    data: a run with data.jsonl whose rows carry a `slice`. wrong, as_in: such as topic=delivery, topic=account; each
    letter gets code and team of one that differs in nothing else. missing: e.g. [topic=repair, urgency=now].
    """
    rows = read_rows(data)
    r = random.Random(run.seed)
    spoilt, kept = 0, []
    for row in rows:
        if is_in(row["slice"], missing):
            continue
        if is_in(row["slice"], [wrong]):
            spoilt += 1
            key, _, value = as_in.partition("=")
            likeness = row["slice"] | {key: value}
            other = r.choice([other for other in rows if other["slice"] == likeness])
            row = row | {"target": misfiled(row["target"], as_in=other["target"])}  # noqa: PLW2901
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
