"""The bridge to EleutherAI's lm-evaluation-harness: its tasks on a loaded model, the score of every document kept.

The harness renders, asks and scores; what it measured is put beside our own intervals and paired tests. They need a
metric that is a mean over documents: perplexity, mcc and f1 are one number of the whole set, and stay the harness's.
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
    """One metric of one task by the harness; a hash for each document says which question it was."""

    task: str
    metric: str
    value: float
    scores: list[float]  # a score a document, in the task's order; none where their mean is not the value
    documents: list[str]
    higher_is_better: bool


def check_installed() -> None:
    """Raises SlmkitError where the harness is not there, without importing it."""
    if find_spec("lm_eval") is None:
        raise SlmkitError("lm-evaluation-harness is not installed", fix=_INSTALL)


def backend() -> str:
    """The harness with its version: another one may render a task otherwise."""
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
    """The metrics of some tasks. folder: tasks as the harness's YAML files; None: those that it ships.

    chat: prompts go through the model's chat template. on_note hears which metric is no number, and
    which has no direction. Raises: SlmkitError for a task that is not there or measures nothing.
    """
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager(include_path=str(folder) if folder else None, include_defaults=folder is None)
    for task in tasks:
        if task not in manager.all_tasks:
            known = ", ".join(sorted(manager.all_tasks)[:10]) or "none"
            raise SlmkitError(f"no task {task!r}", where=str(folder or "lm_eval"), fix=f"one of {known}")
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
        bootstrap_iters=0,  # intervals are worked out here
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
    """Every metric of a task, under each of its filters (ways to read an answer) where it has several.

    rows: a line a document and filter. values: what the harness makes of them, by "metric,filter"; where it is not the
    mean of the lines (perplexity is exp of it), they are no scores.
    """
    found = []
    several = len({row["filter"] for row in rows}) > 1
    for metric, by in dict.fromkeys((metric, row["filter"]) for row in rows for metric in row["metrics"]):
        name, value = f"{metric},{by}" if several else metric, values[f"{metric},{by}"]
        if not isinstance(value, Real) or not isfinite(value):
            on_note(f"{task} {name} is left out: {value!r} is no number")
            continue
        its = [row for row in rows if row["filter"] == by and metric in row["metrics"]]
        scores = [float(row[metric]) for row in its if isinstance(row[metric], Real)]
        if len(scores) < len(its) or not isclose(sum(scores) / len(scores), value, rel_tol=1e-6, abs_tol=1e-9):
            scores = []
        better = higher_is_better.get(metric)
        if better is None:
            on_note(f"{task} does not say whether a higher {name} is better: it is taken to be")
        documents = [row["doc_hash"] for row in its]
        found.append(Measured(task, name, float(value), scores, documents, better is not False))
    if not found:
        raise SlmkitError(f"task {task!r} measures nothing", fix="give its YAML a metric that is a number, or drop it")
    return found
