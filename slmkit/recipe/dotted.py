"""Values by their dotted places, and where each was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def leaves(value: Any, place: str = "") -> list[tuple[str, Any]]:
    """What stands at each dotted place: {"lora": {"r": 8}} -> [("lora.r", 8)]."""
    if isinstance(value, dict) and (value or not place):
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{place}.{key}" if place else str(key))]
    return [(place, value)]


def origin_of(place: str, origins: Mapping[str, str]) -> str:
    """The origin of the place, or of the nearest mapping above it that has one."""
    while place and place not in origins:
        place = place.rpartition(".")[0]
    return origins.get(place, "")
