"""slmkit fit: what of a model fits where: to answer and to train, on GPUs of 8, 16, 24 and 80 GB."""

from __future__ import annotations

import json
from typing import Any

from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.selection.footprint import METHODS, PRECISIONS, Footprint, answering, training
from slmkit.selection.model_card import Card, read_card

_SIZES_GB = (8, 16, 24, 80)
_USABLE = 0.9  # of a GPU: the rest is the driver's, and fragments


def fit(model: str, *, context_length: int, batch_size: int, as_json: bool) -> None:
    """Prints the memory of one card's model by use, and the smallest size it fits on."""
    path = lookup.find("configs/models", model)
    if path is None:
        fix = lookup.suggest(model, lookup.names("configs/models"), "`slmkit ls models` lists the cards")
        raise SlmkitError(f"there is no card of {model!r}", where="configs/models", fix=fix)
    card = read_card(path)
    if not card.has_shape:
        raise SlmkitError(f"the shape of {model} is not known", where=str(path), fix="add it from its config.json")
    rows = [_row(use, need) for use, need in _uses(card, context_length, batch_size)]
    if as_json:
        print(
            json.dumps({"model": card.name, "context_length": context_length, "batch_size": batch_size, "uses": rows})
        )
        return
    _print(card, rows, context_length, batch_size)


def _uses(card: Card, context_length: int, batch_size: int) -> list[tuple[str, Footprint]]:
    answers = [
        (f"answer, {name}", answering(card, context_length=context_length, batch_size=batch_size, precision=name))
        for name in PRECISIONS
    ]
    trains = [
        (
            f"{method}{', checkpointed' if saved else ''}",
            training(
                card, method=method, max_length=context_length, batch_size=batch_size, gradient_checkpointing=saved
            ),
        )
        for method in METHODS
        for saved in (False, True)
    ]
    return [*answers, *trains]


def _row(use: str, need: Footprint) -> dict[str, Any]:
    fits = next((size for size in _SIZES_GB if need.total <= _USABLE * size * 1e9), None)
    parts = {"weights": need.weights, "states": need.states, "activations": need.activations}
    return {"use": use, **parts, "logits": need.logits, "cache": need.cache, "total": need.total, "fits_gb": fits}


def _print(card: Card, rows: list[dict[str, Any]], context_length: int, batch_size: int) -> None:
    title = f"{card.name}: {card.num_parameters:,} parameters; GB at {batch_size} x {context_length:,} tokens"
    parts = ("weights", "states", "activations", "logits", "cache", "total")
    lines = [[title], ["use", *parts, "fits on"]]
    for row in rows:
        fits = f"{row['fits_gb']} GB" if row["fits_gb"] else "none of these"
        lines.append([row["use"], *(f"{row[part] / 1e9:.2f}" if row[part] else "" for part in parts), fits])
    print_rows(lines, right=range(1, len(parts) + 2))
    if card.context_length and context_length > card.context_length:
        out.print(f"its context is {card.context_length:,} tokens: it cannot use {context_length:,}")
