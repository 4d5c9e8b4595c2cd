"""What is measured beside the score: other metrics of one answer, and metrics of the whole set at once.

A metric whose parameters are (example, answer) scores one answer, so that arms are compared item by item. One whose
parameters are (examples, answers) needs them all, as macro F1 does; its interval is a bootstrap over the items, or
over the documents where items share one.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.evaluation.score import as_number, metric_place, score_answers, shared_documents
from slmkit.metrics.abstention import abstain_rate, abstains, false_abstain_rate
from slmkit.metrics.calibration import ece
from slmkit.metrics.evaluate_module import hf_evaluate
from slmkit.metrics.fields import json_valid
from slmkit.metrics.labels import macro_f1
from slmkit.metrics.likelihood import bits_per_byte, perplexity
from slmkit.metrics.overlap import f1
from slmkit.metrics.retrieval import mrr, ndcg, recall
from slmkit.metrics.slots import slot_f1
from slmkit.statistics.intervals import mean_score
from slmkit.types import Answer, Example, Score, Task

Say = Callable[[str], None]

_NUM_RESAMPLES = 200  # of a metric that is worked out anew each time; the ends are good to about 0.1 of the width


def is_set_metric(metric: Callable[..., float]) -> bool:
    """Whether it scores all answers at once."""
    function = getattr(metric, "function", metric)
    return next(iter(inspect.signature(function).parameters), "") == "examples"


def check_metrics(metric: Callable[..., float] | None, more: Sequence[Callable[..., float]] | None) -> None:
    """Tries every metric on two made-up answers.

    Raises: SlmkitError for one that lacks a package, cannot compare, or is no metric.
    """
    for one in [*([metric] if metric else []), *(more or [])]:
        _check_signature(one)
    if metric is not None and is_set_metric(metric):
        raise SlmkitError(
            f"{metric_name(metric)} scores the whole set at once, but arms are compared item by item",
            fix=f"more_metrics: [{metric_name(metric)}], and as `metric` one that scores an answer",
        )
    examples = [Example("1", "?", "a"), Example("2", "?", "I don't know")]
    answers = [Answer(e.id, e.target, confidence=0.9, target_logprob=-1.0, target_tokens=1) for e in examples]
    for one in [*([metric] if metric else []), *(more or [])]:
        if is_set_metric(one):
            as_number(one, one(examples, answers), "a set of two")
        else:
            as_number(one, one(examples[0], answers[0]), "a question whose target is 'a', answered so")


def _check_signature(metric: Callable[..., float]) -> None:
    """Refuses what is not called with an Example and an Answer: two texts compared would silently score 0."""
    function = getattr(metric, "function", metric)
    taken = [
        p for p in inspect.signature(function).parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    if len(taken) == 2 and not any(parameter.annotation in (str, "str") for parameter in taken):
        return
    what = f"metric {metric_name(metric)} cannot be called with an Example and an Answer"
    fix = f"def {function.__name__}(example, answer): example.target is the right answer, answer.text what was said"
    raise SlmkitError(what, where=metric_place(metric), fix=fix)


def metric_name(metric: Callable[..., float]) -> str:
    """The name with the options the recipe gave."""
    return str(getattr(metric, "label", None) or metric.__name__)


def more_scores(
    task: Task,
    more: Sequence[Callable[..., float]] | None,
    examples: Sequence[Example],
    answers: Sequence[Answer],
    *,
    seed: int = 0,
    on_note: Say | None = None,
) -> dict[str, Score]:
    """Every further metric by name, with its 95 % interval; on_note hears which could not be told, and why.

    None: macro F1 and calibration for labels, JSON validity and slot F1 for extraction, the words' F1 for free text,
    with the rates of abstaining where some questions have no answer; and everywhere recall, rank and gain of the
    passages found, where the gold set names the right ones. Items that share a document count as one draw, as for the
    score; n is the number of items the metric stands on.
    """
    scores: dict[str, Score] = {}
    clusters = shared_documents(examples)
    told = [(e, a) for e, a in zip(examples, answers, strict=True) if e.relevant]
    inside = shared_documents([example for example, _ in told])
    for metric in _usual(task, examples, answers) if more is None else more:
        name = metric_name(metric)
        try:
            if is_set_metric(metric):
                scores[name] = _set_score(metric, examples, answers, clusters, seed)
            elif told and getattr(metric, "function", metric) in _OF_PASSAGES:
                scores[name] = mean_score([metric(*pair) for pair in told], clusters=inside, seed=seed)
            else:
                if getattr(metric, "function", metric) is hf_evaluate:  # of which 0 may be the best value
                    values = [metric(*pair) for pair in zip(examples, answers, strict=True)]
                else:
                    values = score_answers(metric, examples, answers)
                scores[name] = mean_score(values, clusters=clusters, seed=seed)
        except SlmkitError as error:
            if on_note:
                on_note(f"{name} is not measured: {error.what}")
    if any(answer.passages for _, answer in told):
        for metric in _OF_PASSAGES:
            values = [metric(*pair) for pair in told]
            scores.setdefault(metric.__name__, mean_score(values, clusters=inside, seed=seed))
    return scores


def more_rows(system: str, scores: Mapping[str, Score]) -> list[dict[str, Any]]:
    """A line of the table of further metrics for each."""
    return [{"system": system, "metric": name, **asdict(score)} for name, score in scores.items()]


def slice_rows(
    examples: Sequence[Example], scores: Mapping[str, Sequence[float]], *, labels: bool
) -> list[dict[str, Any]]:
    """The mean score of every system on every slice (and label) of the gold set, the widest differences first."""
    slices: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        of = [f"{key}={value}" for key, value in example.slice.items()]
        for name in [*of, *([f"label={example.target}"] if labels else [])]:
            slices.setdefault(name, []).append(index)
    rows = [
        {"slice": name, "n": len(at)}
        | {system: round(sum(values[i] for i in at) / len(at), 3) for system, values in scores.items()}
        for name, at in slices.items()
    ]

    def spread(row: dict[str, Any]) -> float:
        values = [float(row[system]) for system in scores]
        return max(values) - min(values) if len(values) > 1 else -values[0]

    return sorted(rows, key=lambda row: (-spread(row), row["slice"]))


def _usual(task: Task, examples: Sequence[Example], answers: Sequence[Answer]) -> list[Callable[..., float]]:
    if task.kind == "classification":
        return [macro_f1, *([ece] if any(answer.confidence is not None for answer in answers) else [])]
    if task.kind == "extraction":
        return [json_valid, slot_f1]
    unanswerable = sum(_is_unanswerable(example) for example in examples)
    rates = [abstain_rate, *([false_abstain_rate] if unanswerable < len(examples) else [])]
    return [f1, *(rates if unanswerable else [])]


def _set_score(
    metric: Callable[..., float],
    examples: Sequence[Example],
    answers: Sequence[Answer],
    clusters: Sequence[str] | None,
    seed: int,
) -> Score:
    """The metric of the set, between the 2.5 % and 97.5 % points of the metric of sets drawn from it.

    Drawn are documents, each with all its items; without clusters, items.
    """
    value = metric(examples, answers)
    stands_on = _STANDS_ON.get(getattr(metric, "function", metric))
    documents: dict[str, list[tuple[Example, Answer]]] = {}
    for index, pair in enumerate(zip(examples, answers, strict=True)):
        if stands_on is None or stands_on(*pair):
            documents.setdefault(clusters[index] if clusters else str(index), []).append(pair)
    drawn_from, draw = list(documents.values()), random.Random(seed)
    found = []
    for _ in range(_NUM_RESAMPLES):
        pairs = [pair for document in draw.choices(drawn_from, k=len(drawn_from)) for pair in document]
        try:
            found.append(metric([example for example, _ in pairs], [answer for _, answer in pairs]))
        except SlmkitError:  # a metric of the user's own that these cannot tell
            continue
    found.sort()
    low, high = (found[int(share * (len(found) - 1))] for share in (0.025, 0.975)) if found else (value, value)
    return Score(value, min(low, value), max(high, value), sum(map(len, documents.values())))


def _is_unanswerable(example: Example) -> bool:
    return bool(abstains(example, Answer(example.id, example.target)))


_OF_PASSAGES = (recall, mrr, ndcg)  # where no right passage is named they say nothing

# Metrics of a set that some of its items count for, and which these are; for any other all of them do.
_STANDS_ON: dict[Callable[..., float], Callable[[Example, Answer], bool]] = {
    ece: lambda example, answer: answer.confidence is not None,
    abstain_rate: lambda example, answer: _is_unanswerable(example),
    false_abstain_rate: lambda example, answer: not _is_unanswerable(example),
    perplexity: lambda example, answer: answer.target_logprob is not None,
    bits_per_byte: lambda example, answer: answer.target_logprob is not None,
}
