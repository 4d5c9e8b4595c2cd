"""Row lengths in tokens, the max_length that follows from them, and the rows that exceed it.

Rows are never truncated: an answer without its end teaches a model not to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from slmkit.errors import RefusedError

OnOverflow = Literal["error", "drop", "split"]
_TOLERATED = 0.01  # of the rows; if more exceed max_length, the setting is wrong and they are not outliers


@dataclass(frozen=True)
class Lengths:
    """Percentiles of the row lengths, in tokens."""

    p50: int
    p95: int
    p99: int
    max: int

    def __str__(self) -> str:
        return f"median {self.p50} tokens, 95th percentile {self.p95}, 99th {self.p99}, longest {self.max}"


def length_percentiles(lengths: Sequence[int]) -> Lengths:
    """The percentiles of the lengths; each is the length of an actual row."""
    ordered = sorted(lengths)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
    return Lengths(p50, p95, p99, ordered[-1])


def find_max_length(lengths: Sequence[int], max_length: int | Literal["auto"], context_length: int) -> int:
    """The maximum number of tokens per row: the given one or, with "auto", the longest row; at most context_length.

    "auto" excludes the longest 1% if they are more than twice as long as the rest: the longest row sets the memory.
    """
    if max_length != "auto":
        return min(max_length, context_length)
    found = length_percentiles(lengths)
    longest = found.p99 if found.max > 2 * found.p99 else found.max
    return min(-(-longest // 8) * 8, context_length)  # a multiple of 8 suits tensor cores


def too_many_overflow(num_over: int, num_rows: int) -> bool:
    """Whether more than 1% of the rows exceed max_length: then the setting is wrong, and they are not outliers."""
    return num_over > _TOLERATED * num_rows


def rows_above_max_length(
    lengths: Sequence[int],
    max_length: int,
    on_overflow: OnOverflow,
    *,
    context_length: int,
    can_split: Sequence[bool],
    where: Sequence[str] = (),
) -> list[int]:
    """The indices of the rows above max_length, which are to be dropped; where[i] is the file and line of row i.

    context_length: the model's limit. can_split[i]: whether row i has more than one exchange or paragraph.
    With on_overflow="split", pass 0 as the length of each row that was split: the others above max_length cannot be.
    Raises: RefusedError if they are more than 1% of the rows and on_overflow is not "drop", or if they are all rows.
    """
    over = [i for i, length in enumerate(lengths) if length > max_length]
    is_all = bool(over) and len(over) == len(lengths)
    if is_all or (on_overflow != "drop" and too_many_overflow(len(over), len(lengths))):
        longest = max(over, key=lambda i: lengths[i])
        enough = length_percentiles(lengths).p99
        fixes = [] if is_all else ["on_overflow=drop drops them"]
        if enough <= context_length:
            fixes.insert(0, f"max_length={enough} keeps 99% of the rows")
        else:
            fixes.append(f"model=NAME with a context longer than {context_length:,} tokens keeps more")
        if on_overflow == "error" and not too_many_overflow(sum(not can_split[i] for i in over), len(lengths)):
            fixes.append("on_overflow=split splits chats between exchanges")
        raise RefusedError(
            f"{len(over):,} of {len(lengths):,} rows are longer than max_length={max_length} tokens"
            + (" and cannot be split" if on_overflow == "split" else "")
            + f" (longest: {lengths[longest]:,})",
            where=where[longest] if where else "",
            fix="; ".join(fixes),
        )
    return over
