"""Labels that differ only in case or white space, which are several classes to a model and to a metric."""

from __future__ import annotations

from collections import Counter

_SHOWN = 3  # groups


def spelling_note(counts: Counter[str]) -> str | None:
    """How often each spelling of such labels occurs, the most common first; None if there are none."""
    groups: dict[str, list[str]] = {}
    for label, _ in counts.most_common():
        groups.setdefault(" ".join(label.lower().split()), []).append(label)
    alike = [group for group in groups.values() if len(group) > 1]
    if not alike:
        return None
    each = "; ".join(", ".join(f"{label!r} × {counts[label]:,}" for label in group) for group in alike[:_SHOWN])
    more = f"; and {len(alike) - _SHOWN:,} more" if len(alike) > _SHOWN else ""
    return f"use one spelling for labels that differ only in case or whitespace: {each}{more}"
