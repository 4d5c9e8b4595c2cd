"""Scores answers: one number per item, the mean with its interval, and the rates that explain it."""

from __future__ import annotations

import inspect
import math
import numbers
import random
import re
import statistics as stdlib_statistics
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.evaluation.answer_file import NUM_ALONE
from slmkit.gold.gold_set import Gold
from slmkit.metrics._read_json import read_json
from slmkit.metrics._text import normalised
from slmkit.metrics.fields import json_fields, json_match
from slmkit.metrics.match import contains, exact_match, numeric
from slmkit.metrics.overlap import f1, rouge_l
from slmkit.metrics.retrieval import mrr, ndcg, recall
from slmkit.statistics.intervals import mean_score
from slmkit.text.words import count_words
from slmkit.types import Answer, Example, Score, Task

if TYPE_CHECKING:
    from slmkit.models.load import Loaded

Metric = Callable[[Example, Answer], float]

# Metrics without arguments, which a gold card can name.
_NAMED = {metric.__name__: metric for metric in (exact_match, contains, numeric, f1, rouge_l, json_fields, json_match)}
_FINAL_NUMBER = re.compile(r"####\s*[-+]?\$?\d[\d,.]*\s*$")  # the end of a worked answer in GSM8K
LONG_TARGET = 8  # words; two correct answers longer than this rarely have the same wording


def score_answers(
    metric: Metric, examples: Sequence[Example], answers: Sequence[Answer], *, in_unit: bool = True
) -> list[float]:
    """One score per item; an answer with an error scores 0, whatever the metric makes of its text.

    in_unit: scores are from 0 to 1, where 1 is a correct answer. Raises: SlmkitError for any other.
    """
    return [
        0.0 if a.error else as_number(metric, call_metric(metric, e, a), f"item {e.id!r}", in_unit=in_unit)
        for e, a in zip(examples, answers, strict=True)
    ]


def call_metric(metric: Callable[..., float], *arguments: Any) -> Any:
    """What the metric returns; an exception it raises becomes a SlmkitError with its line."""
    try:
        return metric(*arguments)
    except SlmkitError:
        raise
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        what = f"metric {_label(metric)} raised {type(error).__name__}: {error}"
        raise SlmkitError(what, where=f"{line.filename}:{line.lineno}", fix="fix the metric") from error


def as_number(metric: Callable[..., float], value: Any, about: str, *, in_unit: bool = False) -> float:
    """The value a metric returned, as a float.

    Raises: SlmkitError if it is not a finite number, or with in_unit not from 0 to 1, up to rounding.
    """
    name = _label(metric)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        number = float(value)
        if not in_unit or -1e-9 <= number <= 1 + 1e-9:
            return number
        what = f"metric {name} returned {number:g} for {about}; a score is from 0 to 1"
        fix = f"more_metrics: [{name}] reports any unit; as `metric`, return 1.0 for a correct answer"
        raise SlmkitError(what, where=metric_place(metric), fix=fix)
    fix = "return a finite number for every item: 1.0 if it is correct, 0.0 if it is wrong"
    raise SlmkitError(f"metric {name} returned {value!r} for {about}", where=metric_place(metric), fix=fix)


def _label(metric: Callable[..., float]) -> str:
    return str(getattr(metric, "label", None) or getattr(metric, "__name__", "the metric"))


def metric_place(metric: Callable[..., float]) -> str:
    """The file and line where a metric is defined."""
    code = getattr(inspect.unwrap(getattr(metric, "function", metric)), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


@dataclass(frozen=True)
class Summary:
    """A system's score on a gold set, with rates, tokens and latency."""

    score: Score
    parse_rate: float  # answers in the form the task asks for: a known label, valid JSON, any text
    stop_rate: float  # answers that the system ended itself
    empty_rate: float
    error_rate: float
    prompt_tokens: float  # this and all below: means over the questions that have an answer
    completion_tokens: float
    seconds_per_answer: float  # in batches
    p50_seconds: float  # asked one at a time
    p95_seconds: float | None  # None if fewer than 20 were asked one at a time


def summarise(
    task: Task,
    answers: Sequence[Answer],
    scores: Sequence[float],
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Summary:
    """The score with its interval, and the rates that show whether form or ability was the problem."""
    n = max(1, len(answers))
    answered = [answer for answer in answers if not answer.error] or answers
    alone = _seconds(answers[1:NUM_ALONE]) or _seconds(answered) or [0.0]
    batched = _seconds(answers[NUM_ALONE:]) or alone
    return Summary(
        score=mean_score(scores, clusters=clusters, seed=seed),
        parse_rate=sum(parses(task, answer) for answer in answers) / n,
        stop_rate=sum(answer.stopped for answer in answers) / n,
        empty_rate=sum(not answer.text.strip() for answer in answers) / n,
        error_rate=sum(bool(answer.error) for answer in answers) / n,
        prompt_tokens=sum(answer.prompt_tokens for answer in answered) / max(1, len(answered)),
        completion_tokens=sum(answer.completion_tokens for answer in answered) / max(1, len(answered)),
        seconds_per_answer=sum(batched) / len(batched),
        p50_seconds=stdlib_statistics.median(alone),
        p95_seconds=alone[math.ceil(0.95 * len(alone)) - 1] if len(alone) >= NUM_ALONE - 1 else None,
    )


def _seconds(answers: Sequence[Answer]) -> list[float]:
    """The seconds each answer took, shortest first; answers with an error are omitted."""
    return sorted(answer.seconds for answer in answers if not answer.error)


def shared_documents(examples: Sequence[Example]) -> list[str] | None:
    """The document of each example: its `document` slice, or the passages with its answer, or its id.

    None if no two examples share a document.
    """
    clusters = [e.slice.get("document") or "\n".join(e.relevant) or f"example {e.id}" for e in examples]
    return clusters if len(set(clusters)) < len(clusters) else None


def retrieval_scores(examples: Sequence[Example], answers: Sequence[Answer]) -> dict[str, float]:
    """Mean recall, MRR and nDCG of the retrieved passages; empty without retrieval or named passages."""
    pairs = [(example, answer) for example, answer in zip(examples, answers, strict=True) if example.relevant]
    if not any(answer.passages for _, answer in pairs):
        return {}
    return {metric.__name__: sum(metric(*pair) for pair in pairs) / len(pairs) for metric in (recall, mrr, ndcg)}


def parses(task: Task, answer: Answer) -> bool:
    """Whether the answer has the form the task asks for."""
    if task.kind == "classification":
        return normalised(answer.text) in {normalised(label) for label in task.labels}
    if task.kind == "extraction":
        return read_json(answer.text) is not None
    return bool(answer.text.strip())


def default_metric(gold: Gold) -> Metric:
    """The metric that the gold card names, otherwise one chosen by the task.

    exact_match for labels and short answers, json_fields for extraction, numeric if every target ends with its
    number after ####, f1 for long answers.
    """
    if name := gold.card.get("metric"):
        if name not in _NAMED:
            raise SlmkitError(
                f"a gold card cannot name the metric {name!r}",
                where=str(gold.folder / "card.yaml"),
                fix=f"use one of {', '.join(_NAMED)}, or set any other as `metric` in the recipe",
            )
        return _NAMED[name]
    if gold.task.kind == "extraction":
        return json_fields
    if gold.examples and all(_FINAL_NUMBER.search(example.target) for example in gold.examples):
        return numeric
    words = [count_words(example.target) for example in gold.examples] or [0]
    return f1 if gold.task.kind == "generation" and stdlib_statistics.median(words) > LONG_TARGET else exact_match


def accuracy(loaded: Loaded, gold: Gold, *, limit: int, seed: int) -> Score:
    """The score of a loaded model on `limit` random examples of a gold set: greedy, single-turn, 16 new tokens.

    The same seed draws the same examples.
    """
    from slmkit.inference.generate import generate
    from slmkit.models.chat_template import render, with_system

    examples = random.Random(seed).sample(gold.examples, min(limit, len(gold.examples)))
    chats = [with_system(example.conversation, gold.task.instruction) for example in examples]
    prompts = render(loaded.tokenizer, chats, tools=[example.tools for example in examples])
    outputs = generate(loaded, prompts, max_new_tokens=16)
    metric = default_metric(gold)
    answers = [Answer(e.id, o.text, error=o.error) for e, o in zip(examples, outputs, strict=True)]
    return mean_score(score_answers(metric, examples, answers))


def answer_row(system: str, example: Example, answer: Answer, score: float) -> dict[str, Any]:
    """One row of the answers table."""
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
        **({"thinking": answer.thinking} if answer.thinking else {}),
        **({"passages": list(answer.passages)} if answer.passages else {}),
        **({"aliases": list(example.aliases)} if example.aliases else {}),
        **({"relevant": list(example.relevant)} if example.relevant else {}),
    }
