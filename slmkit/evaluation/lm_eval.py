"""Runs tasks of EleutherAI's lm-evaluation-harness on a loaded model, and keeps the score of every document.

The harness renders, asks and scores; slmkit adds intervals and paired tests. Those need a metric that is a mean over
documents: perplexity, mcc and f1 are computed on the whole set, so they are reported without an interval.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from math import isclose, isfinite
from numbers import Real
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.models.load import Loaded

_INSTALL = "pip install -c configs/constraints.txt 'slmkit[lm-eval]'"


@dataclass(frozen=True)
class Measured:
    """One metric of one task, as the harness measured it."""

    task: str
    metric: str
    value: float
    scores: list[float]  # one per document, in the task's order; empty if their mean is not the value
    documents: list[str]  # the harness's hash of each
    higher_is_better: bool


def check_installed() -> None:
    """Raises SlmkitError if the harness is not installed, without importing it."""
    if find_spec("lm_eval") is None:
        raise SlmkitError("lm-evaluation-harness is not installed", fix=_INSTALL)


def backend() -> str:
    """The harness with its version, since versions may render a task differently."""
    return f"lm_eval {version('lm_eval')}"


def run_tasks(
    loaded: Loaded,
    tasks: Sequence[str],
    *,
    on_note: Callable[[str], None],
    folder: Path | None = None,
    limit: int | None = None,
    num_fewshot: int | None = None,
    chat: bool = True,
    batch_size: int = 16,
) -> list[Measured]:
    """The metrics of some tasks.

    folder: tasks as the harness's YAML files; None: the tasks shipped with it. chat: apply the model's chat template.
    on_note is called for a metric that is not a number, and for one without a direction.
    Raises: SlmkitError for an unknown task, or one without a usable metric.
    """
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager(include_path=str(folder) if folder else None, include_defaults=folder is None)
    for task in tasks:
        if task not in manager.all_tasks:
            known = ", ".join(sorted(manager.all_tasks)[:10])
            fix = f"use one of {known}" if known else "add the YAML file of a task to the folder"
            raise SlmkitError(f"unknown task {task!r}", where=str(folder or "lm_eval"), fix=fix)
    model: Any = HFLM(
        pretrained=loaded.model, tokenizer=loaded.tokenizer, batch_size=batch_size, max_length=loaded.context_length
    )
    found: Any = simple_evaluate(
        model,
        tasks=list(tasks),
        task_manager=manager,
        limit=limit,
        num_fewshot=num_fewshot,
        apply_chat_template=chat and bool(loaded.tokenizer.chat_template),
        bootstrap_iters=0,  # slmkit computes the intervals
    )
    return [
        one
        for task, rows in found["samples"].items()
        for one in _of_task(task, rows, found["results"][task], found["higher_is_better"][task], on_note=on_note)
    ]


def _of_task(
    task: str,
    rows: Sequence[Mapping[str, Any]],
    values: Mapping[str, Any],
    higher_is_better: Mapping[str, bool | None],
    *,
    on_note: Callable[[str], None],
) -> list[Measured]:
    """Every metric of a task; if the task has several filters (ways to read an answer), once per filter.

    rows: one per document and filter. values: the harness's value by "metric,filter"; if it is not the mean of the
    rows (perplexity is exp of a mean), the rows are not scores.
    """
    found = []
    several = len({row["filter"] for row in rows}) > 1
    for metric, by in dict.fromkeys((metric, row["filter"]) for row in rows for metric in row["metrics"]):
        name, value = f"{metric},{by}" if several else metric, values[f"{metric},{by}"]
        if not isinstance(value, Real) or not isfinite(value):
            on_note(f"{task} {name} is skipped because its value is {value!r}")
            continue
        matching = [row for row in rows if row["filter"] == by and metric in row["metrics"]]
        scores = [float(row[metric]) for row in matching if isinstance(row[metric], Real)]
        if len(scores) < len(matching) or not isclose(sum(scores) / len(scores), value, rel_tol=1e-6, abs_tol=1e-9):
            scores = []
        better = higher_is_better.get(metric)
        if better is None:
            on_note(f"{task} {name} has no higher_is_better: true is assumed")
        documents = [row["doc_hash"] for row in matching]
        found.append(Measured(task, name, float(value), scores, documents, better is not False))
    if not found:
        raise SlmkitError(f"task {task!r} has no numeric metric", fix="add one to its YAML, or remove the task")
    return found
