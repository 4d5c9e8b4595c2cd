"""The optional Unsloth backend: it loads the model and adds the adapter, with its own kernels; the trainer is TRL's.

Unsloth needs CUDA and pins its own versions of transformers and TRL, so it is not a dependency. This code follows its
documentation, https://docs.unsloth.ai (FastLanguageModel), and has not been run against it.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.models.load import Loaded, local_folder
from slmkit.models.lora import Adapter, Lora
from slmkit.models.model_folder import model_folder
from slmkit.types import ModelRef

_ADAPTERS = ("lora", "qlora", "rslora")
_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def check_unsloth(ref: ModelRef, adapter: Adapter, attn_implementation: str) -> None:
    """Refuses what Unsloth cannot train, before anything is loaded; imports nothing."""
    if adapter not in _ADAPTERS:
        raise SlmkitError(
            f"the unsloth backend does not support adapter {adapter!r}",
            where="backend, adapter",
            fix=f"use one of {', '.join(_ADAPTERS)}",
        )
    if attn_implementation != "auto":
        what = f"the unsloth backend has its own kernels, so attn_implementation cannot be {attn_implementation!r}"
        raise SlmkitError(what, where="attn_implementation", fix="attn_implementation: auto")
    if importlib.util.find_spec("unsloth") is None:
        raise SlmkitError(
            "unsloth is not installed",
            where="backend",
            fix="pip install unsloth in a separate environment with CUDA, or remove backend=unsloth",
        )
    folder = model_folder(ref)
    if folder is not None and (folder / "adapter_config.json").exists():
        raise SlmkitError(
            f"model {ref.name!r} is an adapter, and unsloth needs a plain model", where="model", fix="merge it first"
        )


def load_unsloth(ref: ModelRef, *, load_in_4bit: bool) -> Loaded:
    """The model as loaded by Unsloth, with its full context and the GPU's own dtype."""
    from unsloth import FastLanguageModel

    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=str(local_folder(ref)), max_seq_length=None, dtype=None, load_in_4bit=load_in_4bit
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Loaded(model, tokenizer, ref)


def attach_unsloth(model: Any, lora: Lora, *, adapter: Adapter, seed: int) -> Any:
    """The model with a new adapter, added by Unsloth."""
    from unsloth import FastLanguageModel

    return FastLanguageModel.get_peft_model(
        model,
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=_LINEAR if lora.target_modules == "all-linear" else lora.target_modules,
        modules_to_save=lora.modules_to_save,
        bias="none",
        use_gradient_checkpointing="unsloth",
        random_state=seed,
        use_rslora=adapter == "rslora",
    )
