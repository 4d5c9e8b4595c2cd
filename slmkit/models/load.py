"""Loads models: from the hub, from a folder, or the model that a run trained.

An adapter is stored with a base.json, which names its base model, and is merged into that model on loading; on a 4-bit
base it stays unmerged, because merging would round its weights. peft is imported only then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from slmkit.console import console
from slmkit.errors import SlmkitError
from slmkit.models.convert_gguf import describe_origin, read_origin
from slmkit.models.hub_download import download
from slmkit.models.load_errors import explain_load_errors
from slmkit.models.model_folder import is_hub_id, model_folder, read_base
from slmkit.types import ModelRef

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Loaded:
    """A model in evaluation mode with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    ref: ModelRef

    @property
    def context_length(self) -> int:
        """The most tokens that a prompt and its answer can have together."""
        config = self.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 1_000_000)  # none: no limit


def load_model(ref: ModelRef, *, device: Device = "auto", dtype: Dtype = "auto", load_in_4bit: bool = False) -> Loaded:
    """The model and tokenizer of a hub id, a folder, or a run, with adapters applied.

    auto: CUDA if available; bfloat16 if the GPU supports it, otherwise float32, which is faster on a CPU.
    Raises: SlmkitError for an unknown model or a missing device, FailedError for too little memory.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise SlmkitError(
            "device is 'cuda', but torch finds no GPU",
            where="device",
            fix="device=auto, or install a CUDA build of torch",
        )
    torch_device = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    folder = local_folder(ref)
    tokenizer = load_tokenizer(ref)
    _print_origin(ref, folder)
    with explain_load_errors(ref):
        model = _load_weights(ref, torch_device, _torch_dtype(dtype, torch_device), load_in_4bit)
    return Loaded(model.eval(), tokenizer, ref)


def load_tokenizer(ref: ModelRef) -> PreTrainedTokenizerBase:
    """The tokenizer alone, with a padding token; raises SlmkitError for an unknown model."""
    from transformers import AutoTokenizer

    folder = local_folder(ref, weights=False)
    with explain_load_errors(ref):
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    if tokenizer.pad_token_id is None:  # only generation pads here, and the attention mask hides it
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def local_folder(ref: ModelRef, *, weights: bool = True) -> Path:
    """The model's folder on this machine, downloaded if need be; with weights=False, at least its tokenizer.

    The libraries get a folder and never a hub id, so that they ask no network about files that are here.
    """
    folder = model_folder(ref)
    if folder is not None:
        return folder
    if not is_hub_id(ref.path):
        raise SlmkitError(
            f"unknown model {ref.name!r}: there is no folder {ref.path}", fix="check the spelling of `model`"
        )
    return download(ref, weights=weights)


_shared: dict[tuple[ModelRef, str, str, bool], Loaded] = {}


def shared_model(
    ref: ModelRef, *, device: Device = "auto", dtype: Dtype = "auto", load_in_4bit: bool = False
) -> Loaded:
    """load_model, with the last model cached: consecutive systems share it, and another model replaces it."""
    key = (ref, device, dtype, load_in_4bit)
    if key not in _shared:
        _shared.clear()
        _shared[key] = load_model(ref, device=device, dtype=dtype, load_in_4bit=load_in_4bit)
    return _shared[key]


def release_shared_model() -> None:
    """Frees the shared model's memory for what runs next."""
    _shared.clear()


def _load_weights(ref: ModelRef, device: torch.device, dtype: torch.dtype, load_in_4bit: bool) -> Any:
    """The model; for an adapter, its base (which can itself be an adapter) with the adapter merged in."""
    folder = local_folder(ref)
    if not (folder / "adapter_config.json").exists():
        model = _from_pretrained(str(folder), device, dtype, load_in_4bit)
        if is_hub_id(ref.path):  # what is saved from it names the hub's model, not a folder of this machine
            model.name_or_path = model.config._name_or_path = ref.path
        return model
    base = read_base(folder)
    if model_folder(base) is None and not is_hub_id(base.path):
        raise SlmkitError(
            f"the base model {base.name!r} of adapter {ref.name!r} is not at {base.path}",
            where=str(folder / "base.json"),
            fix="copy that folder here, or write its new path into base.json",
        )
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(_load_weights(base, device, dtype, load_in_4bit), str(folder))
    return adapted if load_in_4bit else adapted.merge_and_unload()


_said: set[str] = set()  # names whose origin was printed in this process


def _print_origin(ref: ModelRef, folder: Path) -> None:
    origin = read_origin(folder)
    if origin is None or ref.name in _said:
        return
    _said.add(ref.name)
    for line in (f"{ref.name}: weights {describe_origin(origin)}", *origin["notes"]):
        console.print(line, style="dim", markup=False)


def _from_pretrained(path: str, device: torch.device, dtype: torch.dtype, load_in_4bit: bool) -> Any:
    from transformers import AutoModelForCausalLM

    if not load_in_4bit:
        return AutoModelForCausalLM.from_pretrained(path, dtype=dtype).to(device)
    from transformers import BitsAndBytesConfig

    quantized = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=dtype, quantization_config=quantized, device_map={"": device} if device.type == "cuda" else None
    )
    # On a CPU, bitsandbytes repacks the weights for evaluation, which fails for widths not divisible by 32.
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _torch_dtype(dtype: Dtype, device: torch.device) -> torch.dtype:
    import torch

    if dtype != "auto":
        return getattr(torch, dtype)  # type: ignore[no-any-return]
    has_bfloat16 = device.type == "cuda" and torch.cuda.get_device_capability()[0] >= 8  # Ampere and later
    return torch.bfloat16 if has_bfloat16 else torch.float32
