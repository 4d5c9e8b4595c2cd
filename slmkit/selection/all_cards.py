"""The cards that a selection starts from: those that ship, and the user's own beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from slmkit.models.convert_gguf import gguf_in
from slmkit.recipe import lookup
from slmkit.selection.folder_card import folder_card
from slmkit.selection.model_card import Card, read_cards
from slmkit.types import ModelRef


def all_cards(folder: Path) -> list[Card]:
    """The shipped cards and those of a folder, sorted by name; one of the same name takes the shipped one's place.

    The folder has cards (*.yaml), or is itself a model: config.json with weights, or a GGUF file.
    """
    shipped = {card.name: card for card in read_cards(_shipped())}
    return sorted((shipped | {card.name: card for card in own_cards(folder)}).values(), key=lambda card: card.name)


def own_cards(folder: Path) -> list[Card]:
    """The cards of a folder only."""
    if (folder / "config.json").is_file() or gguf_in(folder):
        return [folder_card(ModelRef(_name(folder), str(folder)))]
    return read_cards(folder)


def is_shipped(folder: Path) -> bool:
    """Whether the folder is the shipped one, so that there are no cards of the user's."""
    return folder.resolve() == _shipped().resolve()


def added(own: Iterable[Card]) -> str:
    """A note about the user's own cards, or "" if there are none."""
    names = [card.name for card in own]
    return f"{len(names)} of your own beside the shipped cards: {', '.join(names[:5])}" if names else ""


def _shipped() -> Path:
    return lookup.roots()[-1] / "configs" / "models"


def _name(folder: Path) -> str:
    return folder.resolve().stem if folder.is_file() else folder.resolve().name
