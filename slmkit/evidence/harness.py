"""The bridge to EleutherAI's lm-evaluation-harness: its tasks on a loaded model, the score of every document kept.

The harness renders, asks and scores; what it measured is put beside our own intervals and paired tests.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.models.load import Loaded

_INSTALL = "pip install -c configs/constraints.txt 'slmkit[lm-eval]'"


@dataclass(frozen=True)
class Measured:
    """One metric of one task: a score a document, in the task's order; a hash for each says which question it was."""

    task: str
    metric: str
    scores: list[float]
    documents: list[str]


def check_installed() -> None:
    """Raises SlmkitError where the harness is not there, without importing it."""
    if find_spec("lm_eval") is None:
        raise SlmkitError("lm-evaluation-harness is not installed", fix=_INSTALL)


def run_tasks(
    loaded: Loaded,
    tasks: Sequence[str],
    *,
    folder: Path | None = None,
    limit: int | None = None,
    num_fewshot: int | None = None,
    chat: bool = True,
    batch_size: int = 16,
) -> list[Measured]:
    """The metrics of some tasks. folder: tasks as the harness's YAML files; None: those that it ships.

    chat: prompts go through the model's chat template. Raises: SlmkitError for a task that is not there.
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
        Measured(
            task,
            metric,
            [float(row[metric]) for row in rows if metric in row["metrics"]],
            [row["doc_hash"] for row in rows if metric in row["metrics"]],
        )
        for task, rows in found["samples"].items()
        for metric in dict.fromkeys(metric for row in rows for metric in row["metrics"])
        if all(isinstance(row[metric], (int, float)) for row in rows if metric in row["metrics"])
    ]
