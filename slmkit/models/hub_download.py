"""Downloads a hub model that is not on this machine: one question to the hub first, then a line that says what comes.

Without a network this fails within seconds, where the libraries retry each file for minutes.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.console import console, progress
from slmkit.models.load_errors import explain_load_errors
from slmkit.types import ModelRef
from slmkit.weights.hub_snapshot import hub_snapshot

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

HUB_TIMEOUT_SECONDS = 5
_WEIGHTS = (".safetensors", ".bin")
_SECONDS_BETWEEN_LOOKS = 1.0


def ask_hub(ref: ModelRef) -> ModelInfo:
    """What the hub knows about a model, asked once. Raises: SlmkitError or FailedError within seconds if it cannot."""
    from huggingface_hub import HfApi

    with explain_load_errors(ref):
        return HfApi().model_info(ref.path, files_metadata=True, timeout=HUB_TIMEOUT_SECONDS)


def download(ref: ModelRef, *, weights: bool = True, info: ModelInfo | None = None) -> Path:
    """The folder of a hub model, downloaded if it is not here; with weights=False, at least config and tokenizer."""
    found = hub_snapshot(ref.path, weights=weights)
    if found is not None:
        return found
    info = info or ask_hub(ref)
    files = _wanted(info, weights=weights)
    size = sum(files.values())
    what = "" if weights else ", tokenizer only"
    console.print(f"downloading {ref.path} from the hub{what}: {len(files)} files, {size / 1e6:,.0f} MB", markup=False)
    from huggingface_hub import snapshot_download

    with explain_load_errors(ref), _watched(ref.path, size):
        # the revision is asked by name, not by commit: the library notes only names in refs/
        return Path(snapshot_download(ref.path, allow_patterns=sorted(files)))


def _wanted(info: ModelInfo, *, weights: bool) -> dict[str, int]:
    """The files of the top folder that loading needs, and their bytes; .bin only if there are no safetensors."""
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or [] if "/" not in file.rfilename}
    kept = {name: size for name, size in sizes.items() if name.endswith((".json", ".jinja", ".txt", ".model", ".py"))}
    if weights:
        suffix = next((one for one in _WEIGHTS if any(name.endswith(one) for name in sizes)), _WEIGHTS[0])
        kept |= {name: size for name, size in sizes.items() if name.endswith(suffix) and name != "training_args.bin"}
    return kept


class _watched:
    """Shows progress while files grow in the hub's cache: its own bars are silenced with those of the libraries."""

    def __init__(self, repo_id: str, size: int) -> None:
        from huggingface_hub.constants import HF_HUB_CACHE

        self._blobs = Path(HF_HUB_CACHE) / f"models--{repo_id.replace('/', '--')}" / "blobs"
        self._before = self._bytes()
        self._megabytes = max(1, size // 10**6)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        with progress("downloading", self._megabytes, "MB") as ticker:
            while not self._done.wait(_SECONDS_BETWEEN_LOOKS):
                ticker.advance(max(0, (self._bytes() - self._before) // 10**6 - ticker.done))

    def _bytes(self) -> int:
        total = 0
        for path in self._blobs.glob("*") if self._blobs.is_dir() else ():
            try:
                total += path.stat().st_size
            except OSError:  # renamed between listing and looking
                continue
        return total
