"""Models by name: load a hub model, a folder, or the model a run trained; and say before any work why one cannot be.

An adapter is stored beside base.json, which names the model under it, and is merged into that model on loading (left
unmerged on a 4-bit base, whose weights it would otherwise be rounded into). peft is imported only then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import FailedError, SlmkitError, is_out_of_memory, out_of_memory
from slmkit.files import PACKAGE
from slmkit.types import ModelRef

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_HUB_TIMEOUT_SECONDS = 5


@dataclass(frozen=True)
class Loaded:
    """A model in evaluation mode with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    ref: ModelRef

    @property
    def context_length(self) -> int:
        """The most tokens a prompt and its answer may have together."""
        config = self.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 1_000_000)  # none: a model without positions


def load_model(ref: ModelRef, *, device: Device = "auto", dtype: Dtype = "auto", load_in_4bit: bool = False) -> Loaded:
    """The model and tokenizer of a hub id, a folder, or a run; adapters applied, ready to answer.

    auto: CUDA where there is one; bfloat16 where the GPU computes in it, else float32, the faster one on a CPU.
    Raises: SlmkitError for a model that is not there or a device that is not, FailedError for too little memory.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise SlmkitError(
            "device is 'cuda' but torch sees no GPU", fix="device=auto, or install a CUDA build of torch"
        )
    on = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    tokenizer = load_tokenizer(ref)
    with _explained(ref):
        model = _load_weights(ref, on, _torch_dtype(dtype, on), load_in_4bit)
    return Loaded(model.eval(), tokenizer, ref)


def load_tokenizer(ref: ModelRef) -> PreTrainedTokenizerBase:
    """The tokenizer alone, with a padding token; raises SlmkitError for a model that is not there."""
    from transformers import AutoTokenizer

    folder = model_folder(ref)
    if folder is None and not is_hub_id(ref.path):
        raise SlmkitError(f"there is no model {ref.name!r}: no folder {ref.path}", fix="check the spelling of `model`")
    with _explained(ref):
        tokenizer = AutoTokenizer.from_pretrained(str(folder or ref.path))
    if tokenizer.pad_token_id is None:  # only generation pads here, and the attention mask hides it
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


_shared: dict[tuple[ModelRef, str, str, bool], Loaded] = {}


def shared_model(
    ref: ModelRef, *, device: Device = "auto", dtype: Dtype = "auto", load_in_4bit: bool = False
) -> Loaded:
    """load_model, keeping the last model: systems asked one after the other share it, another one frees it first."""
    key = (ref, device, dtype, load_in_4bit)
    if key not in _shared:
        _shared.clear()
        _shared[key] = load_model(ref, device=device, dtype=dtype, load_in_4bit=load_in_4bit)
    return _shared[key]


def release_shared_model() -> None:
    """Lets the shared model go, so that what runs next has its memory."""
    _shared.clear()


def check_model(ref: ModelRef, *, needs_chat_template: bool = True) -> None:
    """Raises SlmkitError where the model cannot be used, in well under a second and without torch.

    A folder that a run has yet to make is taken on trust.
    """
    folder = model_folder(ref)
    if folder is None and not is_hub_id(ref.path):
        return
    files = _files_of_folder(ref, folder) if folder else _files_on_hub(ref)
    if needs_chat_template and not _has_chat_template(ref, folder, files):
        raise SlmkitError(
            f"model {ref.name!r} has no chat template, so there is no agreed way to ask it",
            fix="take its instruct version as `model`, or fine-tune this one first",
        )


def model_folder(ref: ModelRef) -> Path | None:
    """The local folder with the weights: ref.path, its model/ where that is a run's folder, or None for a hub id."""
    path = Path(ref.path)
    if (path / "model").is_dir():
        return path / "model"
    return path if path.is_dir() else None


def is_hub_id(path: str) -> bool:
    """Whether the path reads as owner/name on the hub: no such folder here, and at most one slash."""
    return bool(_HUB_ID.fullmatch(path)) and not Path(path).exists()


def save_base(folder: Path, ref: ModelRef) -> None:
    """Writes base.json beside an adapter: the model it stands on, relative to the package where it ships with it."""
    path = ref.path
    if Path(path).exists():
        absolute = Path(path).resolve()
        inside = absolute.is_relative_to(PACKAGE.resolve())
        path = absolute.relative_to(PACKAGE.resolve()).as_posix() if inside else str(absolute)
    (folder / "base.json").write_text(json.dumps({"name": ref.name, "path": path}) + "\n", encoding="utf-8")


def read_base(folder: Path) -> ModelRef:
    """The model under the adapter in this folder, by base.json or, for an adapter made elsewhere, peft's own file."""
    if (folder / "base.json").exists():
        row = json.loads((folder / "base.json").read_text(encoding="utf-8"))
        name, path = row["name"], row["path"]
    else:
        name = path = json.loads((folder / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    embedded = PACKAGE / path
    return ModelRef(name, str(embedded) if embedded.is_dir() else path)


def _load_weights(ref: ModelRef, on: torch.device, dtype: torch.dtype, load_in_4bit: bool) -> Any:
    """The bare model; of an adapter, its base (which may be an adapter again) with the adapter merged in."""
    folder = model_folder(ref)
    if folder is None or not (folder / "adapter_config.json").exists():
        return _from_pretrained(str(folder or ref.path), on, dtype, load_in_4bit)
    base = read_base(folder)
    if model_folder(base) is None and not is_hub_id(base.path):
        raise SlmkitError(
            f"the adapter {ref.name!r} stands on {base.name!r}, which is not at {base.path}",
            where=str(folder / "base.json"),
            fix="bring that folder here, or put its new place into base.json",
        )
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(_load_weights(base, on, dtype, load_in_4bit), str(folder))
    return adapted if load_in_4bit else adapted.merge_and_unload()


def _from_pretrained(path: str, on: torch.device, dtype: torch.dtype, load_in_4bit: bool) -> Any:
    from transformers import AutoModelForCausalLM

    if not load_in_4bit:
        return AutoModelForCausalLM.from_pretrained(path, dtype=dtype).to(on)
    from transformers import BitsAndBytesConfig

    quantized = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=dtype, quantization_config=quantized, device_map={"": on} if on.type == "cuda" else None
    )
    # On a CPU, bitsandbytes repacks the weights for evaluation; widths that 32 does not divide fail there.
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _torch_dtype(dtype: Dtype, on: torch.device) -> torch.dtype:
    import torch

    if dtype != "auto":
        return getattr(torch, dtype)  # type: ignore[no-any-return]
    in_hardware = on.type == "cuda" and torch.cuda.get_device_capability()[0] >= 8  # Ampere and later
    return torch.bfloat16 if in_hardware else torch.float32


def _files_of_folder(ref: ModelRef, folder: Path) -> set[str]:
    files = {path.name for path in folder.iterdir()}
    needed = ("config.json", "adapter_config.json")
    if not files.intersection(needed):
        raise SlmkitError(
            f"model {ref.name!r} is a folder without {' or '.join(needed)}",
            where=str(folder),
            fix="name the folder that transformers or peft saved, a run that trained a model, or a hub id",
        )
    if not any(name.endswith((".safetensors", ".bin")) for name in files):
        raise SlmkitError(
            f"model {ref.name!r} has no weights", where=str(folder), fix="copy its .safetensors here too"
        )
    return files


def _files_on_hub(ref: ModelRef) -> set[str]:
    """The model's files: those in the hub cache when it has the weights, else what the hub lists."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        cached = {path.name for path in Path(snapshot_download(ref.path, local_files_only=True)).iterdir()}
    except LocalEntryNotFoundError:
        cached = set()
    if any(name.endswith((".safetensors", ".bin")) for name in cached):
        return cached
    with _explained(ref):
        info = HfApi().model_info(ref.path, timeout=_HUB_TIMEOUT_SECONDS)
    return {sibling.rfilename for sibling in info.siblings or []}


def _has_chat_template(ref: ModelRef, folder: Path | None, files: set[str]) -> bool:
    if "chat_template.jinja" in files or "chat_template.json" in files:
        return True
    if folder is None:
        from huggingface_hub import hf_hub_download

        with _explained(ref):
            folder = Path(hf_hub_download(ref.path, "tokenizer_config.json")).parent
    config = folder / "tokenizer_config.json"
    return config.exists() and '"chat_template"' in config.read_text(encoding="utf-8")


@contextmanager
def _explained(ref: ModelRef) -> Iterator[None]:
    """Turns what the hub, transformers and torch raise into what a user can do about it."""
    try:
        yield
    except SlmkitError:
        raise
    except Exception as error:
        explanation = _explanation(error, ref)
        if explanation is None:
            raise
        raise explanation from error


def _explanation(error: Exception, ref: ModelRef) -> SlmkitError | None:
    causes, cause = [], error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    text = str(error)
    if any(map(is_out_of_memory, causes)):
        return out_of_memory(f"loading {ref.name!r}", "load_in_4bit=true, or a smaller `model`")
    if "GatedRepoError" in kinds:
        return SlmkitError(
            f"model {ref.path!r} is gated: its owner must let you in",
            fix=f"ask on https://huggingface.co/{ref.path}, then `hf auth login`; or take another `model`",
        )
    if "RepositoryNotFoundError" in kinds or "HFValidationError" in kinds:
        return SlmkitError(
            f"there is no model {ref.path!r} on the hub, or it is private",
            fix="check the spelling of `model`, or `hf auth login` for a private one",
        )
    if kinds & {
        "OfflineModeIsEnabled",
        "LocalEntryNotFoundError",
        "ConnectError",
        "ConnectionError",
        "TimeoutException",
    }:
        return FailedError(
            f"model {ref.path!r} is not on this machine and the hub cannot be reached",
            fix="model=nano works without a network; or download it where there is one and name the folder",
        )
    if isinstance(error, (OSError, ValueError)):
        return SlmkitError(f"model {ref.name!r} cannot be loaded: {text.splitlines()[0]}", fix="take another `model`")
    return None
