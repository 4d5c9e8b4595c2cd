"""The memory a model may use here, asked without importing torch."""

from __future__ import annotations

import shutil
import subprocess


def machine_memory() -> tuple[float, bool]:
    """Gigabytes of the first GPU and True, or of this machine's free memory and False."""
    command = shutil.which("nvidia-smi")
    if command:
        asked = [command, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False)
        if told.returncode == 0 and told.stdout.strip():
            return float(told.stdout.split()[0]) * 2**20 / 1e9, True
    import psutil

    return psutil.virtual_memory().available / 1e9, False
