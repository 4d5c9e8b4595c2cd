"""Nested values by dotted key ("lora.r"), and the origin of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def leaves(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Every leaf with its dotted key: {"lora": {"r": 8}} -> [("lora.r", 8)]."""
    if isinstance(value, dict) and (value or not key):
        return [leaf for name, item in value.items() for leaf in leaves(item, f"{key}.{name}" if key else str(name))]
    return [(key, value)]


def origin_of(key: str, origins: Mapping[str, str]) -> str:
    """The origin of a dotted key, or of the nearest enclosing mapping that has one."""
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, "")
