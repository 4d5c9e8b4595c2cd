"""Answers that outlive their run: a comparison in which one arm changed asks only that arm again.

One file a system and task, named by a hash of everything its answers depend on, in a folder beside the runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

from slmkit.evaluation.measure import NUM_ALONE, AnswerFile, as_answer
from slmkit.evaluation.set_metrics import metric_name
from slmkit.types import Answer, Example, Part, System, Task


def kept_answers(
    folder: Path | None, part: Callable[[Task], System], task: Task, *, anew: bool, turn: int = 0
) -> KeptAnswers | None:
    """What is kept of a system; None where nothing is kept, or the runner has not said what the system depends on.

    anew: forgets what was kept. turn: of several systems of one comparison that are alike, such as a repetition, each
    has answers of its own.
    """
    if folder is None or not isinstance(part, Part) or not part.key:
        return None
    chosen_by = part.arguments.get("metric")  # the comparison's, which no key knows of
    by = getattr(chosen_by, "key", "") or (metric_name(chosen_by) if chosen_by else "")
    return KeptAnswers(folder, f"{part.key} {turn} {by}", task, anew=anew)


class KeptAnswers:
    """The answers of one system to one task, by what was asked and how: alone, for the latency, or among others."""

    def __init__(self, folder: Path, key: str, task: Task, *, anew: bool = False) -> None:
        """key: of the system, as the runner names it."""
        asked = [key, asdict(task), [field.name for field in fields(Answer)]]
        name = hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()[:16]
        self.path = folder / f"{name}.json"
        self.kept: dict[str, Any] = {"answers": {}}
        if anew:  # at once: a run that is killed and resumed must not find them either
            self.path.unlink(missing_ok=True)
        if self.path.is_file():
            try:
                self.kept = json.loads(self.path.read_text(encoding="utf-8"))
            except ValueError:  # of a machine that lost power: the answers are asked again
                self.path.unlink()

    def give(
        self, name: str, examples: Sequence[Example], file: AnswerFile, *, on_note: Callable[[str], None]
    ) -> None:
        """Puts what is kept into a run's file, as answers of the system of that name, and tells how many."""
        given = 0
        for item, example in zip(_items(examples), examples, strict=True):
            answer = self.kept["answers"].get(item)
            if answer is not None and (name, example.id) not in file.answers:
                file.add(name, as_answer(answer))
                given += 1
        if given and name not in file.setups:
            setup = dict(self.kept["setup"])
            file.add_setup(name, setup.pop("setup_seconds"), setup)
            if self.kept["peak_memory_bytes"]:
                file.add_peak_memory(name, self.kept["peak_memory_bytes"])
            if self.kept["notes"]:
                file.add_notes(name, self.kept["notes"])
        if given:
            file.add_given(name, f"{given:,} of {len(examples):,} answers are those of {self.kept['run']}")
        if name in file.given:
            on_note(f"{name}: {file.given[name]} (--force asks anew)")

    def take(self, name: str, examples: Sequence[Example], file: AnswerFile, run: Path) -> None:
        """Keeps what a run's file has of the system; answers with an error are not kept: the next run tries again."""
        answers: dict[str, Answer] = {}
        for item, example in zip(_items(examples), examples, strict=True):
            answer = file.answers[name, example.id]
            if not answer.error:
                answers[item] = answer
        self.kept = {
            "run": f"{run}, {date.today().isoformat()}",
            "setup": file.setups[name],
            "peak_memory_bytes": file.peak_memory.get(name),
            "notes": file.notes.get(name, []),
            "answers": self.kept["answers"] | {item: asdict(answer) for item, answer in answers.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.write_text(json.dumps(self.kept, ensure_ascii=False), encoding="utf-8")
        beside.replace(self.path)


def _items(examples: Sequence[Example]) -> list[str]:
    """What is asked in each place, and whether alone: an answer given among others tells no latency."""
    return [
        hashlib.sha256(json.dumps(example.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
        + (" alone" if place < NUM_ALONE else "")
        for place, example in enumerate(examples)
    ]
