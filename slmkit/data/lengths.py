"""How long the rows are, what max_length follows from that, and what happens to the rows above it.

Nothing is ever cut: an answer without its end teaches a model not to stop (PITFALLS row 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from slmkit.errors import RefusedError

OnOverflow = Literal["error", "drop", "split"]
_TOLERATED = 0.01  # of the rows; more than this over max_length is a mistake in the settings, not an outlier


@dataclass(frozen=True)
class Lengths:
    """The spread of the rows' lengths, in tokens."""

    p50: int
    p95: int
    p99: int
    max: int

    def __str__(self) -> str:
        return f"half the rows have up to {self.p50} tokens, 95 % {self.p95}, 99 % {self.p99}, the longest {self.max}"


def spread(lengths: Sequence[int]) -> Lengths:
    """The percentiles of some lengths, each the length of a real row."""
    ordered = sorted(lengths)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
    return Lengths(p50, p95, p99, ordered[-1])


def find_max_length(lengths: Sequence[int], max_length: int | Literal["auto"], context_length: int) -> int:
    """The number of tokens a row may have: as asked, but at most what the model takes; auto: the longest row's.

    auto leaves out the longest 1 % where they are more than twice as long as all others: memory goes by the longest.
    """
    if max_length != "auto":
        return min(max_length, context_length)
    found = spread(lengths)
    longest = found.p99 if found.max > 2 * found.p99 else found.max
    return min(-(-longest // 8) * 8, context_length)  # a multiple of 8, as tensor cores like it


def too_long(
    lengths: Sequence[int], max_length: int, on_overflow: OnOverflow, *, where: Sequence[str] = ()
) -> list[int]:
    """The indices of the rows above max_length, to be dropped; where[i] names the place of row i.

    Raises: RefusedError when they are more than 1 % of the rows and on_overflow is not "drop"; with "split" they are
    those that cannot be split.
    """
    over = [i for i, length in enumerate(lengths) if length > max_length]
    if on_overflow != "drop" and len(over) > _TOLERATED * len(lengths):
        longest = max(over, key=lambda i: lengths[i])
        raise RefusedError(
            f"{len(over):,} of {len(lengths):,} rows are longer than max_length={max_length} tokens"
            + (", in one exchange that cannot be split" if on_overflow == "split" else "")
            + f" (the longest has {lengths[longest]:,})",
            where=where[longest] if where else "",
            fix=f"max_length={spread(lengths).p99} keeps 99 %; shorten the rows, or on_overflow=drop leaves these out"
            + (", on_overflow=split cuts chats between exchanges" if on_overflow == "error" else ""),
        )
    return over
