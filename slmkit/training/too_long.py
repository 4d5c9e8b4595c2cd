"""Drops and counts the rows that are too long to train on, or refuses them if they are many; nothing is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

from slmkit.data.lengths import too_many_overflow
from slmkit.errors import RefusedError
from slmkit.training.recorder import Recorder

OnOverflow = Literal["error", "drop"]


class _Placed(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Placed)


def fitting(
    run: Recorder,
    rows: Sequence[R],
    lengths: Sequence[int],
    *,
    longest: int,
    context_length: int,
    split: str,
    on_overflow: OnOverflow,
) -> list[int]:
    """The indices of the rows of at most `longest` tokens; the others are in too_long_<split>.jsonl.

    Raises: RefusedError if the others are more than 1% of the rows and on_overflow is not "drop", or if they are all.
    """
    over = [i for i, length in enumerate(lengths) if length > longest]
    if over:
        counted = f"{len(over):,} of {len(rows):,} {split} rows are longer than {longest:,} tokens"
        is_all = len(over) == len(rows)
        if is_all or (on_overflow == "error" and too_many_overflow(len(over), len(rows))):
            first = over[0]
            larger = f"a larger max_length (at most {context_length:,} with this model)"
            raise RefusedError(
                counted,
                where=f"{getattr(rows[first], 'where', '')} row {rows[first].id}: {lengths[first]:,} tokens".strip(),
                fix=f"use {larger if longest < context_length else 'a model with a longer context'}, or shorter rows"
                + ("" if is_all else "; on_overflow=drop drops the others"),
            )
        run.note(f"{counted}: dropped, see too_long_{split}.jsonl")
        run.table(f"too_long_{split}", [{"id": rows[i].id, "tokens": lengths[i]} for i in over])
    gone = set(over)
    return [i for i in range(len(rows)) if i not in gone]
