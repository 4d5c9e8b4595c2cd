"""Asks a system the questions of a gold set: cached answers are reused, the rest are asked with progress."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from slmkit.errors import FailedError, counted
from slmkit.evaluation.answer_cache import open_cache
from slmkit.evaluation.answer_file import NUM_ALONE, AnswerFile
from slmkit.evaluation.peak_memory import peak_memory
from slmkit.evaluation.with_calls import with_calls
from slmkit.evaluation.without_thinking import IN_THINKING, without_thinking
from slmkit.gold.gold_set import Gold
from slmkit.gold.guard import refuse_leaky_system
from slmkit.types import Answer, Example, System, SystemPart, Task

_FIXES = {  # by what is in the error
    "exceeds? (the )?context|context (length|window)": "lower max_new_tokens, use fewer shots, a smaller top_k or "
    "shorter passages, or take a model with a longer context",
    IN_THINKING: "raise max_new_tokens: thinking takes hundreds of tokens before the answer",
}


class NoAnswerError(FailedError):
    """A system answered none of the questions: its score would be 0 for a reason that is not the model's."""


class Recorder(Protocol):
    """The part of a run that asking reads from and writes to."""

    dir: Path
    answers_dir: Path | None  # the cache that runs share; None: no cache
    refresh_answers: bool

    def path(self, name: str) -> Path: ...
    def note(self, text: str) -> None: ...
    def progress(
        self, description: str, total: int | None = None, unit: str = "steps", *, done: int = 0
    ) -> AbstractContextManager[Any]: ...


def ask(
    make_system: Callable[[], System],
    name: str,
    examples: Sequence[Example],
    *,
    file: AnswerFile,
    on_answer: Callable[[Answer], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[Answer]:
    """The system's answer to each example: from the file if it is there, otherwise asked now and appended.

    The first NUM_ALONE examples are asked one at a time, as a user would, to measure latency; the others in batches.
    An answer with an error from an earlier session is asked for again. on_note is called with the choices the system
    made, and with the reason for missing answers. Raises: NoAnswerError if every answer is an error.
    """
    by_id = {example.id: example for example in examples}

    def keep(answer: Answer) -> None:
        example = by_id[answer.example_id]
        answer = with_calls(example, without_thinking(example, answer))
        file.add(name, answer)
        if on_answer:
            on_answer(answer)

    alone = [example for example in examples[:NUM_ALONE] if not file.has_answer(name, example)]
    batched = [example for example in examples[NUM_ALONE:] if not file.has_answer(name, example)]
    if alone or batched:
        system = make_system()
        for number, example in enumerate(alone):
            start = time.perf_counter()
            [answer] = system.answer([example], on_answer=keep)
            if number == 0:  # the first call also loads, fits or indexes
                seconds = max(0.0, time.perf_counter() - start - answer.seconds)
                file.add_setup(name, seconds, getattr(system, "about", {}))
        if batched:
            system.answer(batched, on_answer=keep)
        if notes := getattr(system, "notes", ()):
            file.add_notes(name, notes)
    answers = [file.answers[name, example.id] for example in examples]
    has_failed = bool(answers) and all(answer.error for answer in answers)
    if on_note:
        missing = [] if has_failed else _missing(answers)
        for note in [*file.notes.get(name, ()), *_thinking(answers), *missing]:
            on_note(f"{name}: {note}")
    if has_failed:
        first = answers[0].error
        raise NoAnswerError(
            f"{name} answered none of {counted(len(answers), 'question')}: {first}",
            where=str(file.path),
            fix=_fix(first) or "remove the cause, then run the same command: it asks again",
        )
    return answers


def ask_with_progress(
    run: Recorder,
    name: str,
    part: Callable[[Task], System],
    task: Task,
    examples: Sequence[Example],
    *,
    file: AnswerFile,
    asked_as: str | None = None,
    repetition: int = 0,
) -> list[Answer]:
    """As `ask`, with a progress bar, answers reused from earlier runs, and the peak memory recorded.

    asked_as: the system's name in the file, if not `name`. repetition: see open_cache.
    """
    key = asked_as or name
    cache = open_cache(run.answers_dir, part, task, refresh=run.refresh_answers, repetition=repetition)
    if cache:
        cache.copy_to(file, key, examples, on_note=run.note)
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
    if cache:
        cache.update_from(file, key, examples, run.dir)
    return answers


def refuse_leaky_systems(systems: Mapping[str, SystemPart], gold: Gold) -> None:
    """Refuses systems whose training rows or few-shot examples contain questions of the gold set."""
    for name, part in systems.items():
        for key in ("train", "examples"):
            if isinstance(path := part.arguments.get(key), Path):
                refuse_leaky_system(name, path, gold)


def _thinking(answers: Sequence[Answer]) -> list[str]:
    """A sentence on the answers that came with thinking; none if no model thought."""
    num_thought = sum(bool(answer.thinking) for answer in answers)
    if not num_thought:
        return []
    count = f"{num_thought:,} of {len(answers):,} answers"
    return [f"thinking was removed from {count} and is not scored (`thinking` in answers.jsonl)"]


def _missing(answers: Sequence[Answer]) -> list[str]:
    """A sentence on the answers that are missing, with the commonest reason; none if all are there."""
    errors = Counter(answer.error for answer in answers if answer.error)
    if not errors:
        return []
    [(error, _)] = errors.most_common(1)
    fix = _fix(error)
    fix = f". {fix[0].upper()}{fix[1:]}" if fix else ""
    count = f"{errors.total():,} of {counted(len(answers), 'question')}"
    return [f"{count} have no answer (`error` in answers.jsonl). The commonest reason: {error}{fix}"]


def _fix(error: str) -> str:
    return next((fix for pattern, fix in _FIXES.items() if re.search(pattern, error)), "")
