"""One system's answers to a gold set: those that earlier runs kept, and the rest asked with progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from slmkit.evaluation.answer_cache import kept_answers
from slmkit.evaluation.cost import peak_memory
from slmkit.evaluation.measure import AnswerFile, ask
from slmkit.types import Answer, Example, System, Task


class Recorder(Protocol):
    """The part of a run that asking reads and writes to."""

    dir: Path
    kept: Path | None
    asks_anew: bool

    def path(self, name: str) -> Path: ...
    def note(self, text: str) -> None: ...
    def progress(
        self, description: str, total: int | None = None, unit: str = "steps", *, done: int = 0
    ) -> AbstractContextManager[Any]: ...


def answers_of(
    run: Recorder,
    name: str,
    part: Callable[[Task], System],
    task: Task,
    examples: Sequence[Example],
    *,
    file: AnswerFile,
    asked_as: str | None = None,
    turn: int = 0,
) -> list[Answer]:
    """One system's answers: those kept of earlier runs, and the rest asked now, with progress and the memory it takes.

    asked_as: the system's name in the file. turn: as of kept_answers.
    """
    key = asked_as or name
    kept = kept_answers(run.kept, part, task, anew=run.asks_anew, turn=turn)
    if kept:
        kept.give(key, examples, file, on_note=run.note)
    done = file.num_answered(key, examples)
    with run.progress(f"answer {name}", len(examples), "answers", done=done) as bar, peak_memory() as peak:
        answers = ask(
            partial(part, task),
            key,
            examples,
            file=file,
            on_answer=lambda answer: bar.advance(tokens=answer.prompt_tokens + answer.completion_tokens),
            on_note=run.note,
        )
    if done < len(examples):
        file.add_peak_memory(key, peak.memory_bytes)
    if kept:
        kept.take(key, examples, file, run.dir)
    return answers
