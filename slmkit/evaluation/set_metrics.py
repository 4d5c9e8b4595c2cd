"""Additional metrics of a system: per answer, or of the whole set at once.

A metric with the parameters (example, answer) scores one answer, so systems can be compared item by item. One with
(examples, answers) needs the whole set, as macro F1 does; its interval is a bootstrap over items, or over documents if
items share them.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.evaluation.score import as_number, call_metric, metric_place, score_answers, shared_documents
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

Note = Callable[[str], None]

_NUM_RESAMPLES = 200  # the metric is computed on each; the ends of the interval are accurate to 0.1 of its width


def is_set_metric(metric: Callable[..., float]) -> bool:
    """Whether the metric scores all answers at once."""
    function = getattr(metric, "function", metric)
    return next(iter(inspect.signature(function).parameters), "") == "examples"


def check_metrics(metric: Callable[..., float] | None, more: Sequence[Callable[..., float]] | None) -> None:
    """Tries every metric on two made-up answers.

    Raises: SlmkitError if one needs a missing package, has the wrong signature, or does not return a finite number; or
    if `metric` needs the whole set, or returns a value that is not from 0 to 1.
    """
    for one in [*([metric] if metric else []), *(more or [])]:
        _check_signature(one)
    if metric is not None and is_set_metric(metric):
        raise SlmkitError(
            f"metric {metric_name(metric)} scores the whole set, but systems are compared item by item",
            fix=f"use more_metrics: [{metric_name(metric)}], and a metric per answer as `metric`",
        )
    examples = [Example("1", "?", "a"), Example("2", "?", "I don't know")]
    answers = [Answer(e.id, e.target, confidence=0.9, target_logprob=-1.0, target_tokens=1) for e in examples]
    for one in [*([metric] if metric else []), *(more or [])]:
        if is_set_metric(one):
            as_number(one, call_metric(one, examples, answers), "a set of two")
        else:
            value = call_metric(one, examples[0], answers[0])
            as_number(one, value, "the target 'a' and the answer 'a'", in_unit=one is metric)


def _check_signature(metric: Callable[..., float]) -> None:
    """Refuses a function that does not take an Example and an Answer: one that compares two texts would score 0."""
    function = getattr(metric, "function", metric)
    taken = [
        p for p in inspect.signature(function).parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    if len(taken) == 2 and not any(parameter.annotation in (str, "str") for parameter in taken):
        return
    what = f"metric {metric_name(metric)} cannot be called with an Example and an Answer"
    fix = f"def {function.__name__}(example, answer): compare example.target with answer.text"
    raise SlmkitError(what, where=metric_place(metric), fix=fix)


def metric_name(metric: Callable[..., float]) -> str:
    """The name with the options given in the recipe."""
    return str(getattr(metric, "label", None) or metric.__name__)


def more_scores(
    task: Task,
    more: Sequence[Callable[..., float]] | None,
    examples: Sequence[Example],
    answers: Sequence[Answer],
    *,
    seed: int = 0,
    on_note: Note | None = None,
) -> dict[str, Score]:
    """The additional metrics by name, each with its 95% interval; on_note gets the reason why one is missing.

    more None: macro F1 and calibration for labels, JSON validity and slot F1 for extraction, token F1 for free text,
    plus abstention rates if some questions have no answer; and recall, MRR and nDCG of the retrieved passages if the
    gold set names the relevant ones. Items that share a document are resampled together; n counts the items that the
    metric uses.
    """
    scores: dict[str, Score] = {}
    clusters = shared_documents(examples)
    retrieved = [(e, a) for e, a in zip(examples, answers, strict=True) if e.relevant]
    their_documents = shared_documents([example for example, _ in retrieved])
    for metric in _usual(task, examples, answers) if more is None else more:
        name = metric_name(metric)
        try:
            if is_set_metric(metric):
                scores[name] = _set_score(metric, examples, answers, clusters, seed)
            elif retrieved and getattr(metric, "function", metric) in _OF_PASSAGES:
                scores[name] = mean_score([metric(*pair) for pair in retrieved], clusters=their_documents, seed=seed)
            else:
                if (
                    getattr(metric, "function", metric) is hf_evaluate
                ):  # not score_answers: it scores errors 0, which may be the best value of this metric
                    values = [metric(*pair) for pair in zip(examples, answers, strict=True)]
                else:
                    values = score_answers(metric, examples, answers, in_unit=False)
                scores[name] = mean_score(values, clusters=clusters, seed=seed)
        except SlmkitError as error:
            if on_note:
                on_note(f"{name} is missing: {error.what}")
    if any(answer.passages for _, answer in retrieved):
        for metric in _OF_PASSAGES:
            values = [metric(*pair) for pair in retrieved]
            scores.setdefault(metric.__name__, mean_score(values, clusters=their_documents, seed=seed))
    return scores


def more_rows(system: str, scores: Mapping[str, Score]) -> list[dict[str, Any]]:
    """Rows of the table of additional metrics."""
    return [{"system": system, "metric": name, **asdict(score)} for name, score in scores.items()]


def slice_rows(
    examples: Sequence[Example], scores: Mapping[str, Sequence[float]], *, labels: bool
) -> list[dict[str, Any]]:
    """The mean score of every system on every slice (and label) of the gold set, largest differences first."""
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
    """The metric of the set with its percentile bootstrap interval.

    Documents are resampled, each with all its items; without clusters, items.
    """
    value = as_number(metric, call_metric(metric, examples, answers), "the whole set")
    uses = _USES.get(getattr(metric, "function", metric))
    documents: dict[str, list[tuple[Example, Answer]]] = {}
    for index, pair in enumerate(zip(examples, answers, strict=True)):
        if uses is None or uses(*pair):
            documents.setdefault(clusters[index] if clusters else str(index), []).append(pair)
    groups, rng = list(documents.values()), random.Random(seed)
    values = []
    for _ in range(_NUM_RESAMPLES):
        pairs = [pair for group in rng.choices(groups, k=len(groups)) for pair in group]
        try:
            values.append(metric([example for example, _ in pairs], [answer for _, answer in pairs]))
        except SlmkitError:  # a metric that is undefined on this resample
            continue
    values.sort()
    low, high = (values[int(share * (len(values) - 1))] for share in (0.025, 0.975)) if values else (value, value)
    return Score(value, min(low, value), max(high, value), sum(map(len, documents.values())))


def _is_unanswerable(example: Example) -> bool:
    return bool(abstains(example, Answer(example.id, example.target)))


_OF_PASSAGES = (recall, mrr, ndcg)  # undefined if the gold set names no relevant passage

# The items that a metric of the set uses; any other metric uses all.
_USES: dict[Callable[..., float], Callable[[Example, Answer], bool]] = {
    ece: lambda example, answer: answer.confidence is not None,
    abstain_rate: lambda example, answer: _is_unanswerable(example),
    false_abstain_rate: lambda example, answer: not _is_unanswerable(example),
    perplexity: lambda example, answer: answer.target_logprob is not None,
    bits_per_byte: lambda example, answer: answer.target_logprob is not None,
}
