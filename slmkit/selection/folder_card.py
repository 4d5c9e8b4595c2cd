"""The card of a model that has none: of a folder with config.json, or of a GGUF file, from what the files say.

What no file says stays unknown, and unknown never counts as yes.
"""

from __future__ import annotations

import json
import re
from math import prod
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.models.convert_gguf import gguf_in, read_origin
from slmkit.models.model_folder import model_folder, read_base
from slmkit.selection.model_card import Card
from slmkit.types import ModelRef
from slmkit.weights.gguf_header import read_gguf_header

# A key of the card, and what config.json calls it besides.
_OTHER_NAMES = {
    "num_hidden_layers": ("n_layer", "num_layers"),
    "hidden_size": ("n_embd", "d_model"),
    "num_attention_heads": ("n_head", "num_heads"),
    "intermediate_size": ("n_inner", "ffn_dim", "d_ff"),
    "context_length": ("max_position_embeddings", "n_positions"),
}
_OPEN = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc0-1.0": "CC0-1.0"}


def folder_card(ref: ModelRef) -> Card:
    """The card of a local model; of an adapter, that of its base model.

    Raises: SlmkitError if the model is not on this machine.
    """
    if gguf := gguf_in(Path(ref.path)):
        return _gguf_card(ref.name, gguf)  # from the header: converting it would take half a minute
    folder = model_folder(ref)
    if folder is None:
        fix = f"`slmkit get {ref.path}` downloads it; `slmkit ls models` lists the cards, which need no download"
        raise SlmkitError(f"model {ref.name!r} has no card and is not on this machine", where="model", fix=fix)
    if (folder / "adapter_config.json").exists():
        return folder_card(read_base(folder))
    path = folder / "config.json"
    if not path.is_file():
        fix = "use a folder saved by transformers, or a .gguf file"
        raise SlmkitError("the folder has no config.json", where=str(folder), fix=fix)
    whole = json.loads(path.read_text(encoding="utf-8"))
    config = whole.get("text_config") or whole
    values: dict[str, Any] = {key: _first(config, key, *names) for key, names in _OTHER_NAMES.items()}
    tensors = _tensors(folder)
    heads, width = values["num_attention_heads"], values["hidden_size"]
    has_template = any((folder / name).exists() for name in ("chat_template.jinja", "chat_template.json"))
    has_template = has_template or '"chat_template"' in _text(folder / "tokenizer_config.json")
    tied = "lm_head.weight" not in tensors if tensors else config.get("tie_word_embeddings", False)
    about = _front_matter(_text(folder / "README.md"))
    licence = about.get("license") or (read_origin(folder) or {}).get("licence")
    return Card(
        name=ref.name,
        asset=str(folder.resolve()),
        role="instruct" if has_template else "base",
        model_type=config.get("model_type"),
        parameters=sum(map(prod, tensors.values())) or None,
        num_key_value_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or (width // heads if width and heads else None),
        vocab_size=config.get("vocab_size"),
        tie_word_embeddings=tied,
        sliding_window=None,  # with one, the estimate is too high, never too low
        sources=(str(path),),
        **(values | {"intermediate_size": values["intermediate_size"] or (4 * width if width else None)}),  # as GPT-2
        **_terms(licence),
        languages=about.get("language"),
    )


def _first(config: dict[str, Any], *names: str) -> Any:
    return next((config[name] for name in names if config.get(name)), None)


def _gguf_card(name: str, path: Path) -> Card:
    header = read_gguf_header(path)
    heads, width = header.of_model("attention.head_count"), header.of_model("embedding_length")
    embedding = header.shapes.get("token_embd.weight")
    return Card(
        name=name,
        asset=str(path.resolve()),
        role="instruct" if "tokenizer.chat_template" in header.values else "base",
        model_type=header.architecture,
        parameters=header.num_parameters or None,
        num_hidden_layers=header.of_model("block_count"),
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=header.of_model("attention.head_count_kv", heads),
        head_dim=header.of_model("attention.key_length") or (width // heads if width and heads else None),
        intermediate_size=header.of_model("feed_forward_length"),
        vocab_size=embedding[0] if embedding else None,
        tie_word_embeddings="output.weight" not in header.shapes,
        context_length=header.of_model("context_length"),
        gguf=True,
        sources=(str(path),),
        **_terms(header.values.get("general.license")),
    )


def _tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in the folder's safetensors; empty where there are none, or they are quantized."""
    found: dict[str, tuple[int, ...]] = {}
    for path in folder.glob("*.safetensors"):
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, about in header.items():
            if name != "__metadata__":
                if about["dtype"] in ("U8", "I8", "I32"):
                    return {}
                found[name] = tuple(about["shape"])
    return found


def _terms(licence: Any) -> dict[str, Any]:
    known = _OPEN.get(str(licence).lower())
    return {"licence": known or (str(licence) if licence else None), "commercial": "yes" if known else None}


def _front_matter(text: str) -> dict[str, Any]:
    """Licence and languages from the block between --- lines that opens a model's README on the hub."""
    block = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    if block is None:
        return {}
    licence = re.search(r"^license:\s*(\S+)", block[1], re.MULTILINE)
    languages = re.search(r"^language:\s*(\[?[a-z, ]+\]?|(?:\n- [a-z]{2}$)+)", block[1], re.MULTILINE)
    found: dict[str, Any] = {"license": licence[1].strip("'\"")} if licence else {}
    if languages:
        found["language"] = tuple(re.findall(r"\b[a-z]{2}\b", languages[1]))
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
