"""Answers are appended to a file as they arrive, so that a resumed run does not ask any question twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from slmkit.types import Answer, Example

NUM_ALONE = 21  # the first examples are asked one at a time, to measure latency; the very first also warms up


class AnswerFile:
    """A run's answers so far, one JSON line each; opening the file drops a last line cut short by a kill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[tuple[str, str], Answer] = {}  # by system and example id
        # By system:
        self.setups: dict[str, dict[str, Any]] = {}  # seconds of setup, and how the system describes itself
        self.peak_memory: dict[str, int] = {}  # bytes, while it answered
        self.notes: dict[str, list[str]] = {}  # choices it made, such as its few-shot examples
        self.reused: dict[str, str] = {}  # how many answers come from which earlier run
        written = path.read_bytes() if path.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            os.truncate(path, len(whole))
        for line in whole.decode("utf-8").split("\n")[:-1]:
            self._read(json.loads(line))

    def add(self, system: str, answer: Answer) -> None:
        """Appends an answer; an unpaired surrogate, which UTF-8 cannot hold, becomes a "?" in each of its texts."""
        thinking = None if answer.thinking is None else _encodable(answer.thinking)
        answer = replace(answer, text=_encodable(answer.text), thinking=thinking, error=_encodable(answer.error))
        self.answers[system, answer.example_id] = answer
        self._append({"system": system, **asdict(answer)})

    def add_setup(self, system: str, seconds: float, about: Mapping[str, str]) -> None:
        """Records the seconds of setup (loading, indexing, fitting), and how the system describes itself."""
        self.setups[system] = {"setup_seconds": seconds, **about}
        self._append({"system": system, **self.setups[system]})

    def add_peak_memory(self, system: str, memory_bytes: int) -> None:
        """Records the peak memory of a session of answering; the highest of all sessions counts."""
        self.peak_memory[system] = max(memory_bytes, self.peak_memory.get(system, 0))
        self._append({"system": system, "peak_memory_bytes": memory_bytes})

    def add_notes(self, system: str, notes: Sequence[str]) -> None:
        """Records choices the system made, such as its few-shot examples, so that a resumed run can repeat them."""
        self.notes[system] = list(dict.fromkeys([*self.notes.get(system, []), *notes]))
        self._append({"system": system, "notes": self.notes[system]})

    def add_reused(self, system: str, message: str) -> None:
        """Records how many of the system's answers come from which earlier run."""
        self.reused[system] = message
        self._append({"system": system, "given": message})

    def has_answer(self, system: str, example: Example) -> bool:
        """Whether the system has answered the example; an error is not an answer."""
        answer = self.answers.get((system, example.id))
        return answer is not None and not answer.error

    def num_answered(self, system: str, examples: Sequence[Example]) -> int:
        """The number of these examples that the system has answered."""
        return sum(self.has_answer(system, example) for example in examples)

    def _read(self, row: dict[str, Any]) -> None:
        name = row.pop("system")
        if "setup_seconds" in row:
            self.setups[name] = row
        elif "given" in row:
            self.reused[name] = row["given"]
        elif "notes" in row:
            self.notes[name] = row["notes"]
        elif "peak_memory_bytes" in row:
            self.peak_memory[name] = max(row["peak_memory_bytes"], self.peak_memory.get(name, 0))
        else:
            self.answers[name, row["example_id"]] = answer_from_row(row)

    def _append(self, row: dict[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8", errors="replace") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def answer_from_row(row: Mapping[str, Any]) -> Answer:
    """The answer in a row of JSON."""
    return Answer(**{**row, "passages": tuple(row["passages"])})


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
