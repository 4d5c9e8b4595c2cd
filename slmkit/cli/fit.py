"""slmkit fit: the memory a model needs for inference and for training, and the GPU size it fits on."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any, Literal

import typer

from slmkit.cli.options import AsJson
from slmkit.console import out, print_rows
from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.find_reference import find_model
from slmkit.selection.folder_card import folder_card
from slmkit.selection.footprint import METHODS, PRECISIONS, Footprint, Method, answering, training
from slmkit.selection.machine import machine_memory
from slmkit.selection.model_card import Card, read_card
from slmkit.types import ModelRef

_CONTEXT = 2048  # tokens, if the model takes as many and none are asked for
_LIBRARIES_GB = 0.6  # resident after importing torch, transformers and peft
_SIZES_GB = (8, 16, 24, 80)
_USABLE = 0.9  # of a GPU's memory; the driver and fragmentation take the rest
_PARTS = ("weights", "states", "activations", "logits", "cache", "total")


def fit(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model card, folder with config.json, .gguf file, or hub id.")
    ],
    context_length: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Tokens per sequence; default 2048, or the model's if that is less."),
    ] = None,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Sequences per batch.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Estimate the memory a model needs for inference and for training.

    For each precision and training method: the memory in GB, which of 8, 16, 24 and 80 GB it fits on, and whether it
    fits into the memory that is free on this machine now.
    """
    card, source = _find_card(model)
    if not card.has_shape:
        what, fix = f"the card of {model} has no layer sizes", "add them from the model's config.json"
        raise SlmkitError(what, where=source, fix=fix)
    length = context_length or min(_CONTEXT, card.context_length or _CONTEXT)
    free_gb, on_gpu = machine_memory()
    rows = [_row(use, need) for use, need in _uses(card, length, batch_size)]
    here = [_here(use, need, free_gb) for use, need in _uses_here(card, length, batch_size, on_gpu=on_gpu)]
    inputs = {
        "from": source,
        "parameters": card.num_parameters,
        "layers": card.num_hidden_layers,
        "context_length": length,
        "most_tokens": card.context_length,
        "batch_size": batch_size,
        "free_gb": round(free_gb, 2),
        "on_gpu": on_gpu,
    }
    checks = _checks(model, length, batch_size, on_gpu=on_gpu)
    if as_json:
        sizes = {"model": card.name, "context_length": length, "batch_size": batch_size}
        print(json.dumps({**sizes, "inputs": inputs, "uses": rows, "here": here, "checks": checks}))
        return
    _print(card, rows, length, batch_size)
    _print_here(inputs, here, checks)


def _find_card(model: str) -> tuple[Card, str]:
    """The card of that name, or one made from the model's files; and where its numbers come from."""
    path = lookup.find("configs/models", model)
    if path is not None:
        card = read_card(path)
        return card, str(card.folder / "config.json" if card.folder else path)
    found = find_model(model, "command line")
    card = folder_card(ModelRef(model, str(found.path or found.name)))
    return card, card.sources[0]


def _uses_here(card: Card, context_length: int, batch_size: int, *, on_gpu: bool) -> list[tuple[str, Footprint]]:
    """What this machine would do: bfloat16 on a GPU, float32 on a CPU, whose heap keeps freed blocks."""
    precision: Literal["float32", "bfloat16"] = "bfloat16" if on_gpu else "float32"
    methods: tuple[Method, ...] = ("lora", "full")
    found = [
        (
            f"answer, {precision}",
            answering(card, context_length=context_length, batch_size=batch_size, precision=precision),
        )
    ]
    for method in methods:
        for saved in (False, True):
            need = training(
                card,
                method=method,
                max_length=context_length,
                batch_size=batch_size,
                gradient_checkpointing=saved,
                precision=precision,
                on_cpu=not on_gpu,
            )
            found.append((f"{method}, {precision}{', checkpointed' if saved else ''}", need))
    return found


def _here(use: str, need: Footprint, free_gb: float) -> dict[str, Any]:
    return {"use": use, "total": need.total, "fits": need.total <= _USABLE * free_gb * 1e9}


def _checks(model: str, context_length: int, batch_size: int, *, on_gpu: bool) -> list[str]:
    """Commands that measure what is estimated here: the memory of an answer, and of a training step."""
    name = shlex.quote(model)
    train = (
        f"slmkit train model={name} max_length={context_length} per_device_train_batch_size={batch_size} max_steps=1"
    )
    watched = f"{train}  # and nvidia-smi beside it" if on_gpu else f"/usr/bin/time -v {train}  # maximum resident set"
    return [f"slmkit learn pick-a-base model={name} context_length={context_length}", watched]


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


def _print_here(inputs: dict[str, Any], here: list[dict[str, Any]], checks: list[str]) -> None:
    what = "free on this GPU" if inputs["on_gpu"] else "free on this machine (no GPU)"
    lines = [
        [""],
        [f"{inputs['free_gb']:.1f} GB {what}, of which {_USABLE:.0%} are counted"],
        ["use", "total", "fits"],
    ]
    lines += [[row["use"], f"{row['total'] / 1e9:.2f}", "yes" if row["fits"] else "no"] for row in here]
    print_rows(lines, right=(1,))
    most = f" of at most {inputs['most_tokens']:,}" if inputs["most_tokens"] else ""
    out.print(
        f"\ncomputed from {inputs['from']}: {inputs['parameters']:,} parameters in {inputs['layers']} layers, "
        f"{inputs['context_length']:,} tokens{most}, batch of {inputs['batch_size']}; Python and its libraries take "
        f"about {_LIBRARIES_GB} GB besides",
        markup=False,
    )
    for check in checks:
        out.print(f"check it: {check}", markup=False)
