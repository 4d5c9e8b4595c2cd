"""The compare stage: several systems on the same gold items, and which of them to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from slmkit import charts
from slmkit.errors import SlmkitError
from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import NoAnswerError, ask_with_progress, refuse_leaky_systems
from slmkit.evaluation.caveats import differences, handicaps
from slmkit.evaluation.cost import model_of
from slmkit.evaluation.measured_system import MeasuredSystem, arm_row, measure_system, repeat_rows
from slmkit.evaluation.score import answer_row, default_metric, retrieval_scores, shared_documents
from slmkit.evaluation.set_metrics import check_metrics, metric_name, more_rows, more_scores, slice_rows
from slmkit.evaluation.unreachable_targets import check_targets, unreachable_text
from slmkit.evaluation.unseen_labels import unseen_labels
from slmkit.evaluation.verdict import Verdict, conclude, flipped_slices
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import release_shared_model
from slmkit.recipe.lookup import suggest
from slmkit.runs.run_folder import Run
from slmkit.systems import NotApplicable, set_default_metric
from slmkit.types import Answer, Example, Fraction, Input, MetricPart, NonNegativeFloat, PositiveInt, SystemPart


def compare(
    run: Run,
    *,
    systems: dict[str, SystemPart],
    gold: Input,
    metric: MetricPart | None = None,
    more_metrics: list[MetricPart] | None = None,
    limit: PositiveInt | None = None,
    bar: Fraction | None = None,
    margin: NonNegativeFloat = 0.05,
    reference: str | None = None,
    ladder: bool = False,
    repeats: dict[str, str] | None = None,
    price_per_hour: NonNegativeFloat = 1.0,
    answers_per_training: PositiveInt = 100_000,
) -> None:
    """Asks several systems the same gold questions and picks the cheapest one not significantly worse than the best.

    metric: None: the metric named in the gold card, else exact_match for labels and short answers, json_fields for
    extraction, f1 for long answers. more_metrics: additional metrics for the table `more`; None: macro F1 and
    calibration for labels, JSON validity and slot F1 for extraction, else F1, plus abstention rates if some questions
    have no answer.
    margin: the smallest score difference that matters. There is enough data once a drop larger than this is either
    ruled out or significant. bar: the score that the chosen system must reach; otherwise the exit code is 2.
    reference: the system that differences are measured from; None: the best prompted model without training.
    ladder: asks the systems in the given order and stops at the first that reaches the bar.
    repeats: {few-shot again: few-shot} declares a system as a repeat run of another, with another seed or training.
    It is not compared; it shows how much a score varies between runs, and smaller losses are ignored.
    price_per_hour: of the machine; the cost of training is spread over answers_per_training answers. Name the
    systems from simple to complex: if costs are similar, the first is chosen.
    """
    frozen = read_gold(gold)
    refuse_leaky_systems(systems, frozen)
    examples = frozen.examples[:limit]
    clusters = shared_documents(examples)
    scorer = metric or default_metric(frozen)
    for part in systems.values():
        set_default_metric(part, scorer)
    check_targets(scorer, examples, where=str(frozen.folder))
    for one in more_metrics or ():
        if text := unreachable_text(one, examples):
            run.note(text)
    file = AnswerFile(run.path("answered.jsonl"))
    measure = partial(
        measure_system,
        task=frozen.task,
        metric=scorer,
        examples=examples,
        clusters=clusters,
        price_per_hour=price_per_hour,
        answers_per_training=answers_per_training,
        seed=run.seed,
    )
    measured, failed = _measure_all(run, systems, frozen, examples, file, measure, bar=bar, ladder=ladder)
    release_shared_model()
    repetitions = {name: of for name, of in (repeats or {}).items() if name in measured and of in measured}
    compared = [measured[name] for name in systems if name in measured and name not in repetitions]
    if not compared:
        for reason in failed.values():
            raise reason
        raise SlmkitError("none of the systems applies to this task", fix="add `prompt` to `systems`")
    arms = [system.arm for system in compared]
    noise = _noise_floor(run, measured, repetitions, clusters)
    verdict = conclude(
        arms, margin=margin, bar=bar, reference=reference, clusters=clusters, noise=noise, seed=run.seed
    )
    _write_more_metrics(run, measured, frozen, examples, more_metrics)
    run.table(
        "slices",
        slice_rows(examples, {arm.name: arm.scores for arm in arms}, labels=frozen.task.kind == "classification"),
    )
    _write_results(run, compared, verdict, file, examples)
    about = {"gold": frozen.sha256[:12], "metric": metric_name(scorer)}
    run.table("provenance", [{"system": arm.name} | about | file.setups[arm.name] for arm in arms])
    slices = [example.slice for example in examples]
    for note in [
        *_caveats(measured, file),
        *flipped_slices(arms, verdict.chosen, slices, clusters=clusters, seed=run.seed),
        f"scored by {metric_name(scorer)} on {len(examples):,} items of {frozen.task.name} "
        f"(sha256 {frozen.sha256[:12]})",
        *([f"items about the same document form one cluster: {len(set(clusters)):,} documents"] if clusters else []),
        f"cost of 1,000 answers: {price_per_hour:g} per machine hour, training spread over "
        f"{answers_per_training:,} answers. P-values are Holm-adjusted over all pairs of systems; the intervals of "
        "differences are not, so that one can exclude 0 while its difference is not significant",
    ]:
        run.note(note)
    if reference in failed:
        run.note(f"the reference {reference} gave no answers, so differences are from {verdict.reference}")
    summaries = {name: system.summary for name, system in measured.items()}
    handicap = handicaps(len(frozen.task.labels), summaries, file.setups)
    unseen = unseen_labels(frozen.task, {name: system.part for name, system in measured.items()}, examples)
    unread = f" {text}." if (text := unreachable_text(scorer, examples)) else ""
    run.verdict(_failures(failed) + verdict.text + handicap + unseen + unread, positive=verdict.is_positive)


def check(
    *,
    systems: dict[str, SystemPart],
    gold: Input,
    metric: MetricPart | None = None,
    more_metrics: list[MetricPart] | None = None,
    limit: PositiveInt | None = None,
    bar: Fraction | None = None,
    reference: str | None = None,
    ladder: bool = False,
    repeats: dict[str, str] | None = None,
    **_: object,
) -> None:
    """Tries the metrics and builds every system, so that a missing model, template or key is found before any work."""
    if not systems:
        raise SlmkitError("there are no systems to compare", fix="add `systems: {prompt: {use: prompt}, …}`")
    compared = [name for name in systems if name not in (repeats or {})]
    if reference is not None and reference not in compared:
        raise SlmkitError(
            f"reference {reference!r} is not one of the systems compared", fix=suggest(reference, compared)
        )
    if ladder and bar is None:
        raise SlmkitError("ladder=true needs a bar to stop at", fix="add bar=0.9, the score that is good enough")
    for name, of in (repeats or {}).items():
        if not {name, of} <= set(systems) or name == of or of in (repeats or {}):
            raise SlmkitError(
                f"{name!r} cannot be a repeat run of {of!r}",
                fix=f"choose two of {', '.join(systems)}; the second must not be a repeat run itself",
            )
    check_metrics(metric, more_metrics)
    if gold.exists():
        frozen = read_gold(gold)
        check_targets(metric or default_metric(frozen), frozen.examples[:limit], where=str(gold))
        refuse_leaky_systems(systems, frozen)
        for part in systems.values():
            try:
                part(frozen.task)
            except NotApplicable:
                continue


def _measure_all(
    run: Run,
    systems: Mapping[str, SystemPart],
    frozen: Gold,
    examples: Sequence[Example],
    file: AnswerFile,
    measure: Callable[[str, SystemPart, list[Answer]], MeasuredSystem],
    *,
    bar: float | None,
    ladder: bool,
) -> tuple[dict[str, MeasuredSystem], dict[str, NoAnswerError]]:
    """Asks and scores the systems one after the other; a ladder stops at the first that reaches the bar.

    Also returned: the systems that answered nothing, which are not compared: 0 would say something about the model.
    """
    measured: dict[str, MeasuredSystem] = {}
    failed: dict[str, NoAnswerError] = {}
    keys = [part.key for part in systems.values()]
    for name in systems if ladder else sorted(systems, key=_by_model(systems)):
        part = systems[name]
        repetition = keys[: list(systems).index(name)].count(part.key)
        try:
            part(frozen.task)  # raises NotApplicable, even if all answers are in the file
            answers = ask_with_progress(run, name, part, frozen.task, examples, file=file, repetition=repetition)
        except NotApplicable as reason:
            run.note(f"{name} does not apply: {reason.what}")
            continue
        except NoAnswerError as reason:
            run.note(f"{reason.what.rstrip('.')}. It is not compared; --force asks again: {reason.fix}")
            failed[name] = reason
            continue
        measured[name] = measure(name, part, answers)
        if ladder and bar is not None and measured[name].summary.score.value >= bar:
            if skipped := [other for other in systems if other not in measured and other not in failed]:
                run.note(f"{name} reaches the bar of {bar:g}, so these were not run: {', '.join(skipped)}")
            break
    return measured, failed


def _failures(failed: Mapping[str, NoAnswerError]) -> str:
    """The start of the verdict, if a system answered nothing."""
    return "".join(f"Not compared: {reason.what.rstrip('.')}. " for reason in failed.values())


def _by_model(systems: Mapping[str, SystemPart]) -> Callable[[str], tuple[int, int]]:
    """A sort key that puts systems on one model next to each other: the model is loaded once, and freed after them.

    Systems without a model come first, so that their peak memory does not include one.
    """
    names = list(systems)
    models = [None, *(model_of(systems[name]) for name in names)]
    return lambda name: (models.index(model_of(systems[name])), names.index(name))


def _noise_floor(
    run: Run,
    measured: Mapping[str, MeasuredSystem],
    repetitions: Mapping[str, str],
    clusters: Sequence[str] | None,
) -> float:
    """The largest difference between a system and its repeat run; 0 without repeat runs."""
    rows = repeat_rows(measured, repetitions, clusters=clusters, seed=run.seed)
    if not rows:
        return 0.0
    for row in rows:
        run.note(f"{row['system']} differs from {row['repeats']}, which it repeats, by {row['value']:+z.3f}")
    noise = float(max(abs(row["value"]) for row in rows))
    run.table("repeats", rows)
    run.metric(noise_floor=noise)
    run.note(f"repeat runs differ by up to {noise:.3f}; smaller gaps are ignored")
    return noise


def _write_more_metrics(
    run: Run,
    measured: Mapping[str, MeasuredSystem],
    frozen: Gold,
    examples: Sequence[Example],
    more_metrics: list[MetricPart] | None,
) -> None:
    """The table and the metrics of the additional metrics."""
    rows: list[dict[str, Any]] = []
    for name, system in measured.items():
        scores = more_scores(
            frozen.task,
            more_metrics,
            examples,
            system.answers,
            seed=run.seed,
            on_note=lambda text, name=name: run.note(f"{name}: {text}"),  # type: ignore[misc]
        )
        rows += more_rows(name, scores)
        run.metric(**{f"{name}.{label}": score for label, score in scores.items()})
    run.table("more", rows)


def _write_results(
    run: Run,
    compared: Sequence[MeasuredSystem],
    verdict: Verdict,
    file: AnswerFile,
    examples: Sequence[Example],
) -> None:
    """The tables of systems and answers, the charts, and the metrics of the comparison."""
    rows = [arm_row(system, verdict, file) | retrieval_scores(examples, system.answers) for system in compared]
    run.table("arms", rows)
    run.table(
        "answers",
        (
            answer_row(system.name, *row)
            for system in compared
            for row in zip(examples, system.answers, system.scores, strict=True)
        ),
    )
    run.figure("arms", charts.arms(rows))
    run.figure("score_against_cost", charts.score_against_cost(rows, cost="cost_per_1000"))
    scores = {system.name: system.summary.score for system in compared}
    for name, score in scores.items():
        run.metric(**{name: score})
    run.metric(best_score=scores[verdict.best], chosen_score=scores[verdict.chosen])
    run.metric(detectable_difference=verdict.detectable, more_items=float(verdict.more_items))


def _caveats(measured: Mapping[str, MeasuredSystem], file: AnswerFile) -> list[str]:
    uses = {name: system.part.name for name, system in measured.items()}
    trained = [name for name, system in measured.items() if system.train_seconds]
    return differences(uses, trained, {name: system.answers for name, system in measured.items()}, file.setups)
