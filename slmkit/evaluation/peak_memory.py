"""The peak memory of a block of code: of this process on a CPU, of the GPU if one is used."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SECONDS_BETWEEN_SAMPLES = 0.05


@dataclass
class Peak:
    """The most memory seen, in bytes; on a CPU it includes all libraries of the process."""

    memory_bytes: int = 0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Samples the memory twenty times a second while the body runs; the result is final when the body ends."""
    import psutil

    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    peak, done, process = Peak(), threading.Event(), psutil.Process()

    def sample() -> None:
        peak.memory_bytes = max(peak.memory_bytes, int(process.memory_info().rss))

    def watch() -> None:
        while not done.wait(_SECONDS_BETWEEN_SAMPLES):
            sample()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        sample()
        if (torch := sys.modules.get("torch")) and torch.cuda.is_available():  # the body may have imported it
            peak.memory_bytes = torch.cuda.max_memory_allocated() or peak.memory_bytes
