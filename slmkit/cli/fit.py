"""slmkit fit: the memory a model needs for inference and for training, and the GPU size it fits on."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from slmkit.cli.options import AsJson
from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.selection.footprint import METHODS, PRECISIONS, Footprint, answering, training
from slmkit.selection.model_card import Card, read_card

_SIZES_GB = (8, 16, 24, 80)
_USABLE = 0.9  # of a GPU's memory; the driver and fragmentation take the rest
_PARTS = ("weights", "states", "activations", "logits", "cache", "total")


def fit(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model card; `slmkit ls models` lists them.")
    ],
    context_length: Annotated[int, typer.Option(metavar="N", min=1, help="Tokens per sequence.")] = 2048,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Sequences per batch.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Estimate the memory a model needs for inference and for training.

    For each precision and training method: the memory in GB, and which of 8, 16, 24 and 80 GB it fits on.
    """
    path = lookup.find("configs/models", model)
    if path is None:
        fix = lookup.suggest(model, lookup.names("configs/models"), "`slmkit ls models` lists the cards")
        raise SlmkitError(f"no model card {model!r}", where="configs/models", fix=fix)
    card = read_card(path)
    if not card.has_shape:
        what, fix = f"the card of {model} has no layer sizes", "add them from the model's config.json"
        raise SlmkitError(what, where=str(path), fix=fix)
    rows = [_row(use, need) for use, need in _uses(card, context_length, batch_size)]
    if as_json:
        sizes = {"model": card.name, "context_length": context_length, "batch_size": batch_size}
        print(json.dumps({**sizes, "uses": rows}))
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
    return {"use": use, **{part: getattr(need, part) for part in _PARTS}, "fits_gb": fits}


def _print(card: Card, rows: list[dict[str, Any]], context_length: int, batch_size: int) -> None:
    title = f"{card.name}: {card.num_parameters:,} parameters, GB for {batch_size} x {context_length:,} tokens"
    lines = [[title], ["use", *_PARTS, "fits on"]]
    for row in rows:
        fits = f"{row['fits_gb']} GB" if row["fits_gb"] else f"over {_SIZES_GB[-1]} GB"
        lines.append([row["use"], *(f"{row[part] / 1e9:.2f}" if row[part] else "" for part in _PARTS), fits])
    print_rows(lines, right=range(1, len(_PARTS) + 2))
    if card.context_length and context_length > card.context_length:
        out.print(f"warning: the model's context length is {card.context_length:,} tokens, not {context_length:,}")
