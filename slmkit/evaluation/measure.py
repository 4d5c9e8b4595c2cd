"""Asking a system and scoring what it says: what eval and compare share. Answers are kept as they come.

Every answer is appended to a file at once, keyed by system and example, so that a killed run answers nothing twice.
"""

from __future__ import annotations

import inspect
import json
import math
import numbers
import os
import random
import re
import statistics as stdlib_statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.gold.gold_set import Gold
from slmkit.gold.guard import refuse_asked
from slmkit.metrics._text import normalised, read_json
from slmkit.metrics.fields import json_fields, json_match
from slmkit.metrics.match import contains, exact_match, numeric
from slmkit.metrics.overlap import f1, rouge_l
from slmkit.metrics.retrieval import mrr, ndcg, recall
from slmkit.statistics.intervals import mean_score
from slmkit.types import Answer, Example, Score, System, SystemPart, Task

if TYPE_CHECKING:
    from slmkit.models.load import Loaded

Metric = Callable[[Example, Answer], float]

# Metrics without arguments, which a gold card can name.
_NAMED = {metric.__name__: metric for metric in (exact_match, contains, numeric, f1, rouge_l, json_fields, json_match)}
_FINAL_NUMBER = re.compile(r"####\s*[-+]?\$?\d[\d,.]*\s*$")  # as GSM8K ends its worked answers
_TOO_LONG = "exceed the context"  # in the error of such a prompt
_LONG_TARGET = 8  # words; above it two right answers are rarely worded alike
NUM_ALONE = 21  # first examples asked one at a time, to measure latency; the very first also warms up


class AnswerFile:
    """The answers given so far, one JSON line each; opening it again drops a line that a kill cut short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[tuple[str, str], Answer] = {}
        self.setups: dict[str, dict[str, Any]] = {}  # of each system: seconds to be ready, and what it is
        self.peak_memory: dict[str, int] = {}  # of each system, in bytes, while it answered
        self.notes: dict[str, list[str]] = {}  # of each system: what it decided by itself
        self.given: dict[str, str] = {}  # of each system: that answers of it are another run's
        written = path.read_bytes() if path.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]
        if whole != written:
            os.truncate(path, len(whole))
        for line in whole.decode("utf-8").split("\n")[:-1]:
            row = json.loads(line)
            name = row.pop("system")
            if "setup_seconds" in row:
                self.setups[name] = row
            elif "given" in row:
                self.given[name] = row["given"]
            elif "notes" in row:
                self.notes[name] = row["notes"]
            elif "peak_memory_bytes" in row:
                self.peak_memory[name] = max(row["peak_memory_bytes"], self.peak_memory.get(name, 0))
            else:
                self.answers[name, row["example_id"]] = as_answer(row)

    def add(self, system: str, answer: Answer) -> None:
        """Keeps an answer; half a character pair, which an endpoint may send and no file can hold, becomes a "?"."""
        answer = replace(answer, text=answer.text.encode("utf-8", "replace").decode("utf-8"))
        self.answers[system, answer.example_id] = answer
        self._append({"system": system, **asdict(answer)})

    def add_setup(self, system: str, seconds: float, about: Mapping[str, str]) -> None:
        """How long the system took to be ready (loading, indexing, fitting), and what it says of itself."""
        self.setups[system] = {"setup_seconds": seconds, **about}
        self._append({"system": system, **self.setups[system]})

    def add_peak_memory(self, system: str, memory_bytes: int) -> None:
        """The most memory seen while the system answered; of several sessions the most."""
        self.peak_memory[system] = max(memory_bytes, self.peak_memory.get(system, 0))
        self._append({"system": system, "peak_memory_bytes": memory_bytes})

    def add_notes(self, system: str, notes: Sequence[str]) -> None:
        """What the system decided by itself, such as the shots it chose: a run that is resumed must say it too."""
        self.notes[system] = list(dict.fromkeys([*self.notes.get(system, []), *notes]))
        self._append({"system": system, "notes": self.notes[system]})

    def add_given(self, system: str, told: str) -> None:
        """That answers of the system are another run's."""
        self.given[system] = told
        self._append({"system": system, "given": told})

    def num_answered(self, system: str, examples: Sequence[Example]) -> int:
        """How many of the examples the system has answered already."""
        return sum((system, example.id) in self.answers for example in examples)

    def _append(self, row: dict[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def as_answer(row: Mapping[str, Any]) -> Answer:
    """The answer in a row of JSON."""
    return Answer(**{**row, "passages": tuple(row["passages"])})


def ask(
    make_system: Callable[[], System],
    name: str,
    examples: Sequence[Example],
    *,
    file: AnswerFile,
    on_answer: Callable[[Answer], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[Answer]:
    """The system's answer to each example: those in the file, and new ones, which go there as they come.

    The first few are asked one at a time, as a user would, and tell the latency; the others many at a time. on_note
    hears what the system decided by itself, and why answers are missing.
    """

    def keep(answer: Answer) -> None:
        file.add(name, answer)
        if on_answer:
            on_answer(answer)

    alone = [example for example in examples[:NUM_ALONE] if (name, example.id) not in file.answers]
    together = [example for example in examples[NUM_ALONE:] if (name, example.id) not in file.answers]
    if alone or together:
        system = make_system()
        for number, example in enumerate(alone):
            start = time.perf_counter()
            [answer] = system.answer([example], on_answer=keep)
            if number == 0:  # the first call also loads, fits or indexes
                seconds = max(0.0, time.perf_counter() - start - answer.seconds)
                file.add_setup(name, seconds, getattr(system, "about", {}))
        if together:
            system.answer(together, on_answer=keep)
        if notes := getattr(system, "notes", ()):
            file.add_notes(name, notes)
    if on_note:
        for note in file.notes.get(name, ()):
            on_note(f"{name}: {note}")
    answers = [file.answers[name, example.id] for example in examples]
    errors = Counter(answer.error for answer in answers if answer.error)
    for error, _ in errors.most_common(1):
        if on_note:
            fix = "; fewer shots, a smaller top_k or shorter passages leave room" if _TOO_LONG in error else ""
            on_note(f"{name}: {errors.total()} of {len(answers)} have no answer, such as: {error}{fix}")
    return answers


def refuse_learned(systems: Mapping[str, SystemPart], gold: Gold) -> None:
    """Refuses systems that are fitted on, or show in their prompts, rows that ask what the gold set asks."""
    for name, part in systems.items():
        for key in ("train", "examples"):
            if isinstance(path := part.arguments.get(key), Path):
                refuse_asked(name, path, gold)


def score_answers(metric: Metric, examples: Sequence[Example], answers: Sequence[Answer]) -> list[float]:
    """One score an item; an answer that is missing for an error scores 0, whatever the metric makes of its text."""
    return [
        0.0 if answer.error else as_number(metric, metric(example, answer), f"item {example.id!r}")
        for example, answer in zip(examples, answers, strict=True)
    ]


def as_number(metric: Callable[..., float], value: Any, about: str) -> float:
    """What a metric gave, which must be a finite number."""
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    name = getattr(metric, "label", None) or getattr(metric, "__name__", "the metric")
    fix = "return a number for every item: 1.0 where it is right, 0.0 where it is wrong"
    raise SlmkitError(f"metric {name} gives {value!r} for {about}", where=metric_place(metric), fix=fix)


def metric_place(metric: Callable[..., float]) -> str:
    """The file and line of a metric, with its options or without."""
    code = getattr(inspect.unwrap(getattr(metric, "function", metric)), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


@dataclass(frozen=True)
class Summary:
    """What a system's answers to a gold set amount to."""

    score: Score
    parse_rate: float  # answers of the form the task asks for: a known label, readable JSON, any text
    stop_rate: float  # answers that the system ended itself
    empty_rate: float
    error_rate: float
    prompt_tokens: float  # a mean, as all that follow, over the questions that have an answer
    completion_tokens: float
    seconds_per_answer: float  # answered many at a time
    p50_seconds: float  # answered one at a time
    p95_seconds: float | None  # None where fewer than 20 were


def summarise(
    task: Task,
    answers: Sequence[Answer],
    scores: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Summary:
    """The score with its interval and the rates beside it, which say whether form or ability was at fault."""
    n = max(1, len(answers))
    given = [answer for answer in answers if not answer.error] or answers
    alone = _seconds(answers[1:NUM_ALONE]) or _seconds(given) or [0.0]
    together = _seconds(answers[NUM_ALONE:]) or alone
    return Summary(
        score=mean_score(scores, clusters=clusters, seed=seed),
        parse_rate=sum(parses(task, answer) for answer in answers) / n,
        stop_rate=sum(answer.stopped for answer in answers) / n,
        empty_rate=sum(not answer.text.strip() for answer in answers) / n,
        error_rate=sum(bool(answer.error) for answer in answers) / n,
        prompt_tokens=sum(answer.prompt_tokens for answer in given) / max(1, len(given)),
        completion_tokens=sum(answer.completion_tokens for answer in given) / max(1, len(given)),
        seconds_per_answer=sum(together) / len(together),
        p50_seconds=stdlib_statistics.median(alone),
        p95_seconds=alone[ceil(0.95 * len(alone)) - 1] if len(alone) >= NUM_ALONE - 1 else None,
    )


def _seconds(answers: Sequence[Answer]) -> list[float]:
    """How long the answers took that there are, the shortest first."""
    return sorted(answer.seconds for answer in answers if not answer.error)


def shared_documents(examples: Sequence[Example]) -> list[str] | None:
    """The document each example is about: its slice `document`, else the passages that hold its answer, else its id.

    None where no two share one.
    """
    clusters = [e.slice.get("document") or "\n".join(e.relevant) or f"example {e.id}" for e in examples]
    return clusters if len(set(clusters)) < len(clusters) else None


def retrieval_scores(examples: Sequence[Example], answers: Sequence[Answer]) -> dict[str, float]:
    """How well the arm found the passages that hold the answers; nothing where it looks none up or gold names none."""
    told = [(example, answer) for example, answer in zip(examples, answers, strict=True) if example.relevant]
    if not any(answer.passages for _, answer in told):
        return {}
    return {metric.__name__: sum(metric(*pair) for pair in told) / len(told) for metric in (recall, mrr, ndcg)}


def parses(task: Task, answer: Answer) -> bool:
    """Whether the answer has the form the task asks for."""
    if task.kind == "classification":
        return normalised(answer.text) in {normalised(label) for label in task.labels}
    if task.kind == "extraction":
        return read_json(answer.text) is not None
    return bool(answer.text.strip())


def default_metric(gold: Gold) -> Metric:
    """The metric that the gold card names, else one by the task.

    exact_match for labels and short answers, json_fields for extraction, numeric where every target ends with its
    number after ####, f1 where the targets are long.
    """
    if name := gold.card.get("metric"):
        if name not in _NAMED:
            raise SlmkitError(
                f"metric {name!r} is not one that a card can name",
                where=str(gold.folder / "card.yaml"),
                fix=f"one of {', '.join(_NAMED)}; give any other as the recipe's `metric`",
            )
        return _NAMED[name]
    if gold.task.kind == "extraction":
        return json_fields
    if gold.examples and all(_FINAL_NUMBER.search(example.target) for example in gold.examples):
        return numeric
    words = [len(example.target.split()) for example in gold.examples] or [0]
    return f1 if gold.task.kind == "generation" and stdlib_statistics.median(words) > _LONG_TARGET else exact_match


def accuracy(loaded: Loaded, gold: Gold, *, limit: int, seed: int) -> Score:
    """How well a model in memory answers some examples of a gold set, greedily, each as a chat of one question.

    An answer has at most 16 tokens. The same seed asks the same examples.
    """
    from slmkit.inference.generate import generate
    from slmkit.models.chat_template import render

    examples = random.Random(seed).sample(gold.examples, min(limit, len(gold.examples)))
    opening = [{"role": "system", "content": gold.task.instruction}] if gold.task.instruction else []
    prompts = render(loaded.tokenizer, [[*opening, {"role": "user", "content": e.input}] for e in examples])
    outputs = generate(loaded, prompts, max_new_tokens=16)
    metric = default_metric(gold)
    answers = [Answer(e.id, o.text, error=o.error) for e, o in zip(examples, outputs, strict=True)]
    return mean_score(score_answers(metric, examples, answers))


def answer_row(system: str, example: Example, answer: Answer, score: float) -> dict[str, Any]:
    """A line of the answers table."""
    return {
        "system": system,
        "example_id": example.id,
        "input": example.input,
        "target": example.target,
        "answer": answer.text,
        "score": score,
        "correct": score >= 1.0,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "seconds": round(answer.seconds, 6),
        "stopped": answer.stopped,
        "error": answer.error,
        "slice": dict(example.slice),
        **({"passages": list(answer.passages)} if answer.passages else {}),
        **({"aliases": list(example.aliases)} if example.aliases else {}),
        **({"relevant": list(example.relevant)} if example.relevant else {}),
    }
