"""The benchmark stage: public tasks by lm-evaluation-harness, and what a training cost of them."""

from __future__ import annotations

from slmkit.errors import SlmkitError
from slmkit.evidence.harness import Measured, check_installed, run_tasks
from slmkit.evidence.statistics import Difference, holm, mean_score, paired_difference
from slmkit.models.load import Device, Dtype, check_model, load_model
from slmkit.run import Run
from slmkit.types import Count, Input, Model, Whole


def benchmark(
    run: Run,
    *,
    model: Model,
    tasks: list[str],
    task_folder: Input | None = None,
    before: Model | None = None,
    max_loss: float | None = None,
    limit: Count | None = None,
    num_fewshot: Whole | None = None,
    chat: bool = True,
    batch_size: Count = 16,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Runs tasks of lm-evaluation-harness on a model, and on the model before its training to see what was forgotten.

    task_folder: tasks as the harness's own YAML files; None takes those that it ships, whose data is on the hub.
    before: another model on the same documents; differences are paired. max_loss: the drop of any metric above which
    the exit code is 2. chat: prompts go through the chat template. limit: the first documents of each task.
    """

    def measure(ref: Model) -> list[Measured]:
        loaded = load_model(ref, device=device, dtype=dtype)
        return run_tasks(
            loaded, tasks, folder=task_folder, limit=limit, num_fewshot=num_fewshot, chat=chat, batch_size=batch_size
        )

    after = measure(model)
    earlier = measure(before) if before else []
    changes = [_change(one, other, run.seed) for one, other in zip(after, earlier, strict=bool(earlier))]
    adjusted = holm([change.p_value for change in changes])
    rows = []
    for i, one in enumerate(after):
        score = mean_score(one.scores, seed=run.seed)
        row = {"task": one.task, "metric": one.metric, "score": score.value, "low": score.low, "high": score.high}
        run.metric(**{f"{one.task}_{one.metric}": score})
        if changes:
            of = changes[i]
            row |= {"change": of.value, "change_low": of.low, "change_high": of.high, "p_value": adjusted[i]}
        rows.append(row | {"n": score.n})
    run.table("tasks", rows)
    if not changes:
        run.verdict(f"{model.name}: " + ", ".join(f"{r['task']} {r['metric']} {r['score']:.3f}" for r in rows) + ".")
        return
    worst = min(range(len(changes)), key=lambda i: changes[i].value)
    lost = max(0.0, -changes[worst].value)
    run.metric(forgotten=lost)
    of, what = changes[worst], f"{after[worst].task} {after[worst].metric}"
    sentence = f"{what} changes most for the worse, {of.value:+.3f} [{of.low:+.3f}, {of.high:+.3f}] (n={of.n})"
    if max_loss is not None:
        sentence += f", {'within' if lost <= max_loss else 'more than'} the loss of {max_loss:g} allowed"
    run.verdict(sentence + ".", positive=max_loss is None or lost <= max_loss)


def check(
    *, model: Model, tasks: list[str], before: Model | None = None, max_loss: float | None = None, **_: object
) -> None:
    """Tells a missing harness, an empty list of tasks, or a limit without a model to hold it against."""
    if not tasks:
        raise SlmkitError("there are no tasks to run", fix="add tasks=[hellaswag], or your own by task_folder=FOLDER")
    if max_loss is not None and before is None:
        raise SlmkitError("max_loss needs a model to compare with", fix="add before=MODEL, the one before training")
    check_installed()
    for ref in (model, before):
        if ref is not None:
            check_model(ref, needs_chat_template=False)


def _change(after: Measured, before: Measured, seed: int) -> Difference:
    assert (after.task, after.metric, after.documents) == (before.task, before.metric, before.documents)
    return paired_difference(after.scores, before.scores, seed=seed)
