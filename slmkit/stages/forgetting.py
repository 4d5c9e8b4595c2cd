"""The forgetting stage: what a fine-tune gained on its task and lost on others, on the same gold sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from slmkit.errors import SlmkitError
from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import ask
from slmkit.evaluation.score import Metric, answer_row, default_metric, score_answers, shared_documents
from slmkit.evaluation.set_metrics import check_metrics, metric_name
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import release_shared_model
from slmkit.runs.run_folder import Run
from slmkit.statistics.intervals import mean_score
from slmkit.statistics.paired_tests import Difference, holm, paired_difference
from slmkit.types import Answer, Input, MetricPart, PositiveInt, Score, SystemPart


@dataclass(frozen=True)
class Change:
    """The scores of both models on one gold set, and the paired difference, after - before."""

    gold: str
    before: Score
    after: Score
    difference: Difference
    answers: list[dict[str, object]]
    made_by: list[dict[str, object]]  # how each model describes itself

    @property
    def row(self) -> dict[str, object]:
        difference = self.difference
        return {
            "gold": self.gold, "before": self.before.value, "after": self.after.value, "change": difference.value,
            "low": difference.low, "high": difference.high, "p_value": difference.p_value, "n": difference.n,
        }  # fmt: skip


def forgetting(
    run: Run,
    *,
    before: SystemPart,
    after: SystemPart,
    gold: Input,
    keep: list[Input],
    metric: MetricPart | None = None,
    limit: PositiveInt | None = None,
    max_loss: float | None = None,
) -> None:
    """Measures what a model gains on its new task and loses on others: the same questions before and after training.

    gold: the gold set of the new task, scored by `metric` (None: as in eval). keep: gold sets of abilities to keep,
    each scored by its own metric; their p-values are Holm-adjusted. max_loss: if any of them drops by more than this,
    the exit code is 2.
    """
    sets = [read_gold(folder) for folder in (gold, *keep)]
    file = AnswerFile(run.path("answered.jsonl"))
    with run.progress("answer", 2 * sum(len(one.examples[:limit]) for one in sets), "answers") as bar:

        def advance(answer: Answer) -> None:
            bar.advance(tokens=answer.prompt_tokens + answer.completion_tokens)

        changes = [
            _change(
                run,
                one,
                (metric if one is sets[0] else None) or default_metric(one),
                before,
                after,
                file,
                advance,
                limit,
            )
            for one in sets
        ]
    release_shared_model()
    changes = [changes[0], *_adjusted(changes[1:])]
    run.table("changes", [change.row for change in changes])
    run.table("answers", (row for change in changes for row in change.answers))
    run.table("provenance", (row for change in changes for row in change.made_by))
    gained, *kept = changes
    run.metric(score=gained.after, gained=_score(gained.difference))
    run.metric(**{f"{_key(change.gold)}_change": _score(change.difference) for change in kept})
    worst = min(kept, key=lambda change: change.difference.value)
    lost = max(0.0, -worst.difference.value)
    run.metric(forgotten=lost)
    sentence = f"{gained.gold} changes by {_interval(gained.difference)}; "
    sentence += f"the largest loss is {_interval(worst.difference)} on {worst.gold}" if lost else "nothing is lost"
    kept_enough = max_loss is None or lost <= max_loss
    if max_loss is not None:
        sentence += f", {'within' if kept_enough else 'beyond'} the allowed loss of {max_loss:g}"
    run.verdict(sentence + ".", positive=kept_enough)


def check(
    *,
    before: SystemPart,
    after: SystemPart,
    gold: Input,
    keep: list[Input],
    metric: MetricPart | None = None,
    **_: object,
) -> None:
    """Tries the metrics and builds both systems, so that a missing model is found before any work."""
    check_metrics(metric, None)
    if not keep:
        raise SlmkitError("`keep` is empty", where="with.keep", fix="list at least one gold set: keep: [gold/reading]")
    sets = [read_gold(folder) for folder in (gold, *keep) if folder.exists()]
    if len({one.task.name for one in sets}) < len(sets):
        twice = next(one.task.name for i, one in enumerate(sets) if one.task.name in [s.task.name for s in sets[:i]])
        raise SlmkitError(
            f"gold set {twice!r} is listed twice", where="with.gold, with.keep", fix="list each set once"
        )
    for one in sets:
        default_metric(one)  # raises if the card names an unknown metric
        for system in (before, after):
            system(one.task)


def _change(
    run: Run,
    gold: Gold,
    metric: Metric,
    before: SystemPart,
    after: SystemPart,
    file: AnswerFile,
    on_answer: Callable[[Answer], None],
    limit: int | None,
) -> Change:
    """Both models on one gold set."""
    examples = gold.examples[:limit]
    clusters = shared_documents(examples)
    answered: list[dict[str, object]] = []
    made_by: list[dict[str, object]] = []
    scores: list[list[float]] = []
    for when, system in (("before", before), ("after", after)):
        label = f"{gold.task.name}, {when}"
        answers = ask(
            lambda system=system: system(gold.task),  # type: ignore[misc]
            label,
            examples,
            file=file,
            on_answer=on_answer,
            on_note=run.note,
        )
        scores.append(score_answers(metric, examples, answers))
        about = {"system": label, "gold": gold.sha256[:12], "metric": metric_name(metric)}
        made_by.append(about | file.setups[label])
        answered += [answer_row(label, *row) for row in zip(examples, answers, scores[-1], strict=True)]
    was, now = scores
    return Change(
        gold.task.name,
        mean_score(was, clusters=clusters, seed=run.seed),
        mean_score(now, clusters=clusters, seed=run.seed),
        paired_difference(now, was, clusters=clusters, seed=run.seed),
        answered,
        made_by,
    )


def _adjusted(changes: Sequence[Change]) -> list[Change]:
    """The changes with Holm-adjusted p-values."""
    p_values = holm([change.difference.p_value for change in changes])
    return [
        replace(change, difference=replace(change.difference, p_value=p_value))
        for change, p_value in zip(changes, p_values, strict=True)
    ]


def _score(difference: Difference) -> Score:
    return Score(difference.value, difference.low, difference.high, difference.n)


def _interval(difference: Difference) -> str:
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _key(name: str) -> str:
    """The name of a gold set as a prefix of a metric's name."""
    return "".join(char if char.isalnum() else "_" for char in name)
