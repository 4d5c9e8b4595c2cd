"""Answers are cached across runs: if one system of a comparison changes, only that one is rerun.

There is one file per system and task in a folder beside the runs, named by a hash of all that its answers depend on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

from slmkit.evaluation.answer_file import NUM_ALONE, AnswerFile, answer_from_row
from slmkit.evaluation.set_metrics import metric_name
from slmkit.files import write_atomically
from slmkit.types import Answer, Example, Part, System, Task


def open_cache(
    folder: Path | None, part: Callable[[Task], System], task: Task, *, refresh: bool, repetition: int = 0
) -> AnswerCache | None:
    """The cache of a system's answers to a task; None without a folder, or if no recipe bound the system.

    refresh: deletes what was cached. repetition: 0, 1, 2, … for identical systems of one comparison, so that each has
    its own answers.
    """
    if folder is None or not isinstance(part, Part) or not part.key:
        return None
    metric = part.arguments.get("metric")  # set by the comparison, so the key does not include it
    metric_key = getattr(metric, "key", "") or (metric_name(metric) if metric else "")
    return AnswerCache(folder, f"{part.key} {repetition} {metric_key}", task, refresh=refresh)


class AnswerCache:
    """One system's answers to one task, by question and by whether it was asked alone (to measure latency)."""

    def __init__(self, folder: Path, key: str, task: Task, *, refresh: bool = False) -> None:
        identity = [key, asdict(task), [field.name for field in fields(Answer)]]
        name = hashlib.sha256(json.dumps(identity, ensure_ascii=False).encode()).hexdigest()[:16]
        self.path = folder / f"{name}.json"
        self.content: dict[str, Any] = {"answers": {}}
        if refresh:  # deleted now: if this run is killed and resumed, it must not find the old answers
            self.path.unlink(missing_ok=True)
        if self.path.is_file():
            try:
                self.content = json.loads(self.path.read_text(encoding="utf-8"))
            except ValueError:  # cut short by a power failure: query again
                self.path.unlink()

    def copy_to(
        self, file: AnswerFile, name: str, examples: Sequence[Example], *, on_note: Callable[[str], None]
    ) -> None:
        """Copies the cached answers to a run's file, as answers of the system `name`, and notes how many."""
        count = 0
        for question, example in zip(_questions(examples), examples, strict=True):
            answer = self.content["answers"].get(question)
            if answer is not None and (name, example.id) not in file.answers:
                file.add(name, answer_from_row(answer))
                count += 1
        if count and name not in file.setups:
            setup = dict(self.content["setup"])
            file.add_setup(name, setup.pop("setup_seconds"), setup)
            if self.content["peak_memory_bytes"]:
                file.add_peak_memory(name, self.content["peak_memory_bytes"])
            if self.content["notes"]:
                file.add_notes(name, self.content["notes"])
        if count:
            file.add_reused(name, f"reused {count:,} of {len(examples):,} answers from {self.content['run']}")
        if name in file.reused:
            on_note(f"{name}: {file.reused[name]} (--force reruns the system)")

    def update_from(self, file: AnswerFile, name: str, examples: Sequence[Example], run: Path) -> None:
        """Caches the system's answers in a run's file, except those with an error, which the next run retries."""
        answers: dict[str, Answer] = {}
        for question, example in zip(_questions(examples), examples, strict=True):
            answer = file.answers[name, example.id]
            if not answer.error:
                answers[question] = answer
        self.content = {
            "run": f"{run}, {date.today().isoformat()}",
            "setup": file.setups[name],
            "peak_memory_bytes": file.peak_memory.get(name),
            "notes": file.notes.get(name, []),
            "answers": self.content["answers"] | {key: asdict(answer) for key, answer in answers.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps(self.content, ensure_ascii=False))


def _questions(examples: Sequence[Example]) -> list[str]:
    """A key for each question; one asked alone has its own, since an answer from a batch has no latency."""
    return [
        hashlib.sha256(json.dumps(example.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
        + (" alone" if place < NUM_ALONE else "")
        for place, example in enumerate(examples)
    ]
