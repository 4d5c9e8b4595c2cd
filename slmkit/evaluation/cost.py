"""The cost of a system: 1,000 answers in money, with the cost of its training spread over the answers it will give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slmkit.evaluation.score import Summary
from slmkit.types import ModelRef, SystemPart


def cost_of_1000(
    part: SystemPart,
    summary: Summary,
    *,
    train_seconds: float,
    price_per_hour: float,
    answers_per_training: int,
) -> float:
    """The cost of 1,000 answers: token prices, or without them machine time; plus a share of the training.

    Example: 0.5 s per answer, 1 h of training, 1.0 per hour, 100,000 answers per training:
    1000 * (0.5 + 0.036) / 3600 = 0.149.
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
    """The model that a system uses; None if it uses none."""
    model = part.arguments.get("model")
    return model if isinstance(model, ModelRef) else None


def train_seconds(part: SystemPart) -> float:
    """The training time of the system's model in seconds, over all sessions; 0 for a model that no run trained.

    For a merged model, or preference tuning on top of a fine-tune, it is the total of all training runs involved.
    """
    model = model_of(part)
    folder = Path(model.path) if model else None
    if folder is None or not (folder / "result.json").is_file():
        return 0.0
    trainings = _trainings(folder)
    return sum(trainings.values()) if trainings else float(_read(folder / "result.json")["seconds"])


def _trainings(folder: Path) -> dict[Path, float]:
    """The seconds of each training among a run and the runs it was made from."""
    if not (folder / "result.json").is_file():
        return {}
    seconds = _read(folder / "result.json").get("metrics", {}).get("train_seconds")
    trainings = {} if seconds is None else {folder: float(seconds)}
    record = folder / "recipe.json"
    for row in _read(record)["inputs"] if record.is_file() else []:
        if row["kind"] == "recipe":
            trainings |= _trainings(Path(row["dir"]))
    return trainings


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
