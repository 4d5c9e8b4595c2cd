"""A YAML value with the file and line of each key, and how one layer of a recipe is merged over another.

Mappings are merged, all other values are replaced. Each value keeps its origin, for `slmkit show` and for errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str | int, ...]  # ("with", "systems", "rag", "top_k")


@dataclass
class Layer:
    """A YAML value and the file and line of each key in it."""

    value: Any
    lines: dict[KeyPath, str] = field(default_factory=dict)
    replaced: dict[KeyPath, Any] = field(default_factory=dict)  # what the file said, of keys that were set later

    def where(self, path: KeyPath) -> str:
        """The location "file:line: a.b.c" of a key, or of the nearest enclosing one that has a line."""
        at = path
        while at and at not in self.lines:
            at = at[:-1]
        dotted = ".".join(str(step) for step in path)
        return f"{self.lines[at]}: {dotted}" if at in self.lines else dotted

    def at(self, path: KeyPath) -> Any:
        """The value at a key path; None if there is none."""
        value = self.value
        for step in path:
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value

    def merge(self, over: Layer) -> None:
        """Merges another layer over this one."""
        self.value = self._merged(self.value, over.value, (), over)

    def set(self, path: KeyPath, value: Any, origin: str) -> None:
        """Sets one value; a part given only by name becomes a mapping first."""
        target = self.value
        for step, at in zip(path[:-1], (path[: i + 1] for i in range(len(path))), strict=False):
            if isinstance(target.get(step), str):
                target[step] = {"use": target[step]}
            elif not isinstance(target.get(step), dict):
                target[step] = {}
            self.lines.setdefault(at, origin)
            target = target[step]
        self._forget(path)
        self.replaced.setdefault(path, target.get(path[-1]))
        target[path[-1]] = value
        self.lines[path] = origin

    def _merged(self, low: Any, high: Any, path: KeyPath, over: Layer) -> Any:
        same_part = (
            isinstance(low, dict) and isinstance(high, dict) and low.get("use") == high.get("use", low.get("use"))
        )
        if not same_part:
            self._forget(path)
            self.lines |= {at: line for at, line in over.lines.items() if at[: len(path)] == path}
            return high
        merged = dict(low)
        for key, value in high.items():
            merged[key] = self._merged(low.get(key), value, (*path, key), over)
        return merged

    def _forget(self, path: KeyPath) -> None:
        self.lines = {at: line for at, line in self.lines.items() if at[: len(path)] != path}
