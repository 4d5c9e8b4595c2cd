"""Finds the slice with the lowest dev score and replaces its training rows with corrected ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from slmkit.evaluation.lesson_arms import LessonArm, ask_arms
from slmkit.files import read_jsonl
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Dtype
from slmkit.runs.run_folder import Run
from slmkit.systems import ChatOptions
from slmkit.systems.prompt import prompt
from slmkit.types import Input, Model


def fix_worst_slice(
    run: Run,
    *,
    data: Input,
    redone: Input,
    model: Model,
    gold: Input,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Scores the model on the gold set's dev questions and replaces the training rows of its worst slice.

    redone: the same rows with correct targets. Here they are the undamaged rows; in practice an expert writes them.
    """
    frozen = read_gold(gold)
    ask = partial(prompt, model=model, chat=ChatOptions(device=device, dtype=dtype, show_labels=False))
    [arm] = ask_arms(run, frozen, {"model": ask}, questions=frozen.dev).values()
    rows = slice_scores(arm)
    run.table("slices", rows)
    worst, score = min(((row["slice"], row["score"]) for row in rows), key=lambda pair: pair[1])
    key, _, value = worst.partition("=")
    run.note(f"the worst slice is {worst}; its training rows are replaced")
    corrected = {row["id"]: row for row in _read(redone)}
    before = _read(data)
    after = [corrected.get(row["id"], row) if row["slice"].get(key) == value else row for row in before]
    run.table("data", after)
    changed = sum(new["target"] != old["target"] for new, old in zip(after, before, strict=True))
    run.metric(rows=len(after), changed_rows=changed, worst_slice=score)


def slice_scores(arm: LessonArm) -> list[dict[str, Any]]:
    """The mean score of each slice, for example {"slice": "topic=delivery", "score": 0.12, "n": 51}."""
    found: dict[str, list[float]] = {}
    for example, score in zip(arm.examples, arm.scores, strict=True):
        for key, value in example.slice.items():
            found.setdefault(f"{key}={value}", []).append(score)
    return [{"slice": name, "score": sum(s) / len(s), "n": len(s)} for name, s in sorted(found.items())]


def _read(folder: Path) -> list[dict[str, Any]]:
    return read_jsonl(folder / "data.jsonl")
