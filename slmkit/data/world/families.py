"""The families of documents: what a document of each kind contains and what is asked of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from slmkit.data.world import tickets
from slmkit.data.world.engine import Doc, Split


@dataclass(frozen=True)
class Family:
    """How a family draws a document, and what its gold card says."""

    draw: Callable[[random.Random, Split], Doc]
    rules: str
    instruction: str = ""
    num_gold: int = 200


FAMILIES: dict[str, Family] = {
    "tickets": Family(
        tickets.ticket,
        "The whole line is right when code, team and reply are; the code alone is scored too.",
        instruction=tickets.INSTRUCTION,
    ),
}
