"""What an arm costs: 1,000 answers in money, its training paid off, and the memory it took while answering."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.evaluation.measure import Summary
from slmkit.types import ModelRef, SystemPart

_SECONDS_BETWEEN_LOOKS = 0.05


def cost_of_1000(
    part: SystemPart,
    summary: Summary,
    *,
    train_seconds: float,
    price_per_hour: float,
    answers_per_training: int,
) -> float:
    """Of 1,000 answers: their tokens where the system has prices, else the machine's time; and the training.

    0.5 s an answer, an hour of training, 1.0 an hour, 100,000 answers a training: 1000 * (0.5 + 0.036) / 3600 = 0.149.
    """
    seconds = train_seconds / answers_per_training
    prices = [float(part.arguments.get(f"price_per_million_{kind}_tokens", 0.0)) for kind in ("prompt", "completion")]
    if any(prices):
        tokens = (summary.prompt_tokens * prices[0] + summary.completion_tokens * prices[1]) / 1_000_000
    else:
        tokens = 0.0
        seconds += summary.seconds_per_answer
    return 1000 * (tokens + seconds / 3600 * price_per_hour)


def model_of(part: SystemPart) -> ModelRef | None:
    """The model that a system is told to ask, where it is told one."""
    found = part.arguments.get("model")
    return found if isinstance(found, ModelRef) else None


def train_seconds(part: SystemPart) -> float:
    """How long the runs trained that made the arm's model, over all their sessions; 0 where no run did.

    A merge, or a preference training after another one, counts the trainings that it reads.
    """
    model = model_of(part)
    folder = Path(model.path) if model else None
    if folder is None or not (folder / "result.json").is_file():
        return 0.0
    trainings = _trainings(folder)
    return sum(trainings.values()) if trainings else float(_read(folder / "result.json")["seconds"])


def _trainings(folder: Path) -> dict[Path, float]:
    """The seconds of each training among a run and all that it was made from."""
    if not (folder / "result.json").is_file():
        return {}
    seconds = _read(folder / "result.json").get("metrics", {}).get("train_seconds")
    found = {} if seconds is None else {folder: float(seconds)}
    record = folder / "recipe.json"
    for row in _read(record)["inputs"] if record.is_file() else []:
        if row["kind"] == "recipe":
            found |= _trainings(Path(row["dir"]))
    return found


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@dataclass
class Peak:
    """The most memory seen: of this process on a CPU, all libraries included; of the GPU where one is used."""

    memory_bytes: int = 0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watches the memory while the body runs, looking twenty times a second; the result is whole once it ends."""
    import psutil

    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    peak, done, process = Peak(), threading.Event(), psutil.Process()

    def look() -> None:
        peak.memory_bytes = max(peak.memory_bytes, int(process.memory_info().rss))

    def watch() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        look()
        if (torch := sys.modules.get("torch")) and torch.cuda.is_available():  # the body may be what imported it
            peak.memory_bytes = torch.cuda.max_memory_allocated() or peak.memory_bytes
