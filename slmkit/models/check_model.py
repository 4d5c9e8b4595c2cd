"""Checks, before any work and without torch, that a model exists and can be used."""

from __future__ import annotations

from pathlib import Path

from slmkit.errors import SlmkitError
from slmkit.models.hub_download import ask_hub
from slmkit.models.load_errors import explain_load_errors
from slmkit.models.model_folder import is_hub_id, model_folder
from slmkit.types import ModelRef


def check_model(ref: ModelRef, *, needs_chat_template: bool = True) -> None:
    """Raises SlmkitError if the model cannot be used; takes well under a second and does not import torch.

    A folder that does not exist yet, because a run will make it, is accepted.
    """
    folder = model_folder(ref)
    if folder is None and not is_hub_id(ref.path):
        return
    files = _files_of_folder(ref, folder) if folder else _files_on_hub(ref)
    if needs_chat_template and not _has_chat_template(ref, folder, files):
        raise SlmkitError(
            f"model {ref.name!r} has no chat template, so it cannot answer chats",
            fix="use its instruct version as `model`, or fine-tune this one first",
        )


def _files_of_folder(ref: ModelRef, folder: Path) -> set[str]:
    files = {path.name for path in folder.iterdir()}
    needed = ("config.json", "adapter_config.json")
    if not files.intersection(needed):
        raise SlmkitError(
            f"the folder of model {ref.name!r} has no {' or '.join(needed)}",
            where=str(folder),
            fix="use a folder saved by transformers or peft, a run that trained a model, or a hub id",
        )
    if not any(name.endswith((".safetensors", ".bin")) for name in files):
        raise SlmkitError(
            f"model {ref.name!r} has no weights", where=str(folder), fix="copy its .safetensors files into this folder"
        )
    return files


def _files_on_hub(ref: ModelRef) -> set[str]:
    """The names of the files of a model that is not on this machine, from the hub."""
    return {sibling.rfilename for sibling in ask_hub(ref).siblings or []}


def _has_chat_template(ref: ModelRef, folder: Path | None, files: set[str]) -> bool:
    if "chat_template.jinja" in files or "chat_template.json" in files:
        return True
    if folder is None:
        from huggingface_hub import hf_hub_download

        with explain_load_errors(ref):
            folder = Path(hf_hub_download(ref.path, "tokenizer_config.json")).parent
    config = folder / "tokenizer_config.json"
    return config.exists() and '"chat_template"' in config.read_text(encoding="utf-8")
