"""The benchmark stage: public tasks of lm-evaluation-harness, before and after training."""

from __future__ import annotations

from typing import Any

from slmkit.errors import SlmkitError
from slmkit.evaluation.lm_eval import Measured, backend, check_installed, run_tasks
from slmkit.models.check_model import check_model
from slmkit.models.load import Device, Dtype, load_model
from slmkit.models.model_hashes import identity
from slmkit.runs.run_folder import Run
from slmkit.statistics.intervals import mean_score
from slmkit.statistics.paired_tests import holm, paired_difference
from slmkit.types import Input, Model, NonNegativeInt, PositiveInt


def benchmark(
    run: Run,
    *,
    model: Model,
    tasks: list[str],
    task_folder: Input | None = None,
    before: Model | None = None,
    max_loss: float | None = None,
    limit: PositiveInt | None = None,
    num_fewshot: NonNegativeInt | None = None,
    chat: bool = True,
    batch_size: PositiveInt = 16,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Runs lm-evaluation-harness tasks on a model, and optionally on the model before training to measure forgetting.

    task_folder: tasks as the harness's YAML files; None: the tasks shipped with it, whose data is on the hub.
    before: another model on the same documents; differences are paired. max_loss: if any metric gets worse by more
    than this, in its own unit, the exit code is 2. chat: apply the chat template. limit: use only the first documents
    of each task.
    """
    made_by: list[dict[str, Any]] = []

    def measure(ref: Model, name: str) -> list[Measured]:
        loaded = load_model(ref, device=device, dtype=dtype)
        is_chat = chat and bool(loaded.tokenizer.chat_template)
        made_by.append({"system": name, "backend": backend(), "chat": is_chat, **identity(loaded)})
        return run_tasks(
            loaded,
            tasks,
            folder=task_folder,
            limit=limit,
            num_fewshot=num_fewshot,
            chat=chat,
            batch_size=batch_size,
            on_note=lambda text: run.note(f"{name}: {text}"),
        )

    after = measure(model, model.name)
    rows = [_row(run, one) for one in after]
    if before is None:
        run.table("tasks", rows)
        run.table("provenance", made_by)
        run.verdict(f"{model.name}: " + ", ".join(f"{r['task']} {r['metric']} {r['score']:.3f}" for r in rows) + ".")
        return
    rows = _with_changes(rows, after, measure(before, f"{before.name}, before"), run.seed)
    run.table("tasks", rows)
    run.table("provenance", made_by)
    worst = max(rows, key=_loss)
    lost = max(0.0, _loss(worst))
    run.metric(forgotten=lost)
    sentence = f"The worst change is {worst['change']:+.3f}"
    if "p_value" in worst:
        sentence += f" [{worst['change_low']:+.3f}, {worst['change_high']:+.3f}]"
    sentence += f" on {worst['task']} {worst['metric']} (n={worst['n']})"
    if max_loss is not None:
        sentence += f", {'within' if lost <= max_loss else 'beyond'} the allowed loss of {max_loss:g}"
    run.verdict(sentence + ".", positive=max_loss is None or lost <= max_loss)


def check(
    *, model: Model, tasks: list[str], before: Model | None = None, max_loss: float | None = None, **_: object
) -> None:
    """Refuses a missing harness, an empty list of tasks, and max_loss without a model to compare with."""
    if not tasks:
        raise SlmkitError(
            "there are no tasks to run", fix="add tasks=[hellaswag], or your own tasks with task_folder=FOLDER"
        )
    if max_loss is not None and before is None:
        raise SlmkitError("max_loss needs a model to compare with", fix="add before=MODEL, the one before training")
    check_installed()
    for ref in (model, before):
        if ref is not None:
            check_model(ref, needs_chat_template=False)


def _row(run: Run, one: Measured) -> dict[str, Any]:
    """A row of the tasks table, also written as a metric; without an interval if documents have no scores."""
    row: dict[str, Any] = {
        "task": one.task,
        "metric": one.metric,
        "score": one.value,
        "higher_is_better": one.higher_is_better,
    }
    if not one.scores:
        run.note(f"{one.task} {one.metric} is computed on all documents at once: no interval, no test")
        run.metric(**{f"{one.task}_{one.metric}": one.value})
        return row | {"n": len(one.documents)}
    score = mean_score(one.scores, seed=run.seed)
    run.metric(**{f"{one.task}_{one.metric}": score})
    return row | {"score": score.value, "low": score.low, "high": score.high, "n": score.n}


def _with_changes(
    rows: list[dict[str, Any]], after: list[Measured], before: list[Measured], seed: int
) -> list[dict[str, Any]]:
    """The rows with the change, after - before, on the same documents; p-values are Holm-adjusted.

    Raises: SlmkitError if only one of the models has a finite value for a metric (a perplexity may be infinite).
    """
    then, now = ([(one.task, one.metric, one.documents) for one in of] for of in (before, after))
    for task, metric, _ in [one for one in then + now if one not in now or one not in then]:
        raise SlmkitError(
            f"{task} {metric} cannot be compared: it is not finite for both models, or not on the same documents",
            fix=f"remove {task} from `tasks`",
        )
    found = [row | _change(one, other, seed) for row, one, other in zip(rows, after, before, strict=True)]
    tested = [row for row in found if "p_value" in row]
    for row, p_value in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_value"] = p_value
    return found


def _loss(row: dict[str, Any]) -> float:
    """How much the metric got worse: +0.1 if an accuracy fell, or a perplexity rose, by 0.1."""
    return float(-row["change"] if row["higher_is_better"] else row["change"])


def _change(after: Measured, before: Measured, seed: int) -> dict[str, float]:
    if not after.scores or not before.scores:
        return {"change": after.value - before.value}
    change = paired_difference(after.scores, before.scores, seed=seed)
    return {
        "change": change.value,
        "change_low": change.low,
        "change_high": change.high,
        "p_value": change.p_value,
    }
