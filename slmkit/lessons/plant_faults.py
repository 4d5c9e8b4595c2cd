"""Damages training data in two known ways, so that a lesson can find the faults and fix them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.files import read_jsonl
from slmkit.runs.run_folder import Run
from slmkit.types import Input

Row = dict[str, Any]


def plant_faults(run: Run, *, data: Input, wrong: str, as_in: str, missing: list[str]) -> None:
    """Labels the letters of one slice as if they belonged to another, and removes the slice `missing`.

    data: a run whose data.jsonl rows have a `slice`. wrong, as_in: for example topic=delivery and topic=account; each
    letter gets the code and team of a letter that differs in this key only. missing: for example
    [topic=repair, urgency=now].
    """
    rows = read_rows(data)
    r = random.Random(run.seed)
    num_wrong, kept = 0, []
    for row in rows:
        if is_in(row["slice"], missing):
            continue
        if is_in(row["slice"], [wrong]):
            num_wrong += 1
            key, _, value = as_in.partition("=")
            twin = row["slice"] | {key: value}  # the same letter, but of the other topic
            other = r.choice([other for other in rows if other["slice"] == twin])
            row = row | {"target": misfiled(row["target"], as_in=other["target"])}  # noqa: PLW2901
        kept.append(row)
    run.table("data", kept)
    run.note(f"planted faults: {num_wrong} of {len(kept)} targets are wrong, {len(rows) - len(kept)} rows are missing")
    run.metric(rows=len(kept), wrong_answers=num_wrong, missing_rows=len(rows) - len(kept))


def misfiled(target: str, *, as_in: str) -> str:
    """The letter's target with the code and team of another letter; the reply stays."""
    return "; ".join([*as_in.split("; ")[:2], *target.split("; ")[2:]])


def read_rows(data: Path) -> list[Row]:
    """The rows of a run's data.jsonl."""
    path = data / "data.jsonl"
    if not path.is_file():
        raise SlmkitError("data.jsonl is missing", where=str(data), fix="use a run of the `world` stage")
    return read_jsonl(path)


def is_in(has: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether an example with these values is in a slice such as ["topic=delivery"]; nothing is in the empty slice."""
    return bool(wanted) and all(f"{key}={has.get(key)}" == pair for pair in wanted for key in [pair.partition("=")[0]])
