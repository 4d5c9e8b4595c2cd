"""A YAML value with the file and line of each place in it, and how one layer of a recipe is merged over another.

Mappings merge, everything else replaces. Each value keeps its origin, so that `slmkit show` and every error can say
where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str | int, ...]  # where a value stands: ("with", "systems", "rag", "top_k")


@dataclass
class Layer:
    """A YAML value and the file and line of each place in it."""

    value: Any
    lines: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, place: KeyPath) -> str:
        """ "file:line: a.b.c" of a place, or of the nearest enclosing one that has a line."""
        at = place
        while at and at not in self.lines:
            at = at[:-1]
        dotted = ".".join(str(step) for step in place)
        return f"{self.lines[at]}: {dotted}" if at in self.lines else dotted

    def at(self, place: KeyPath) -> Any:
        """What stands at a place; None where nothing does."""
        value = self.value
        for step in place:
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value

    def merge(self, over: Layer) -> None:
        """Lays another layer on top of this one."""
        self.value = self._merged(self.value, over.value, (), over)

    def set(self, place: KeyPath, value: Any, origin: str) -> None:
        """Puts one value at a place; a part given by name only becomes a mapping first."""
        target = self.value
        for step, at in zip(place[:-1], (place[: i + 1] for i in range(len(place))), strict=False):
            if isinstance(target.get(step), str):
                target[step] = {"use": target[step]}
            elif not isinstance(target.get(step), dict):
                target[step] = {}
            self.lines.setdefault(at, origin)
            target = target[step]
        self._forget(place)
        target[place[-1]] = value
        self.lines[place] = origin

    def _merged(self, low: Any, high: Any, place: KeyPath, over: Layer) -> Any:
        same_part = (
            isinstance(low, dict) and isinstance(high, dict) and low.get("use") == high.get("use", low.get("use"))
        )
        if not same_part:
            self._forget(place)
            self.lines |= {at: line for at, line in over.lines.items() if at[: len(place)] == place}
            return high
        merged = dict(low)
        for key, value in high.items():
            merged[key] = self._merged(low.get(key), value, (*place, key), over)
        return merged

    def _forget(self, place: KeyPath) -> None:
        self.lines = {at: line for at, line in self.lines.items() if at[: len(place)] != place}
