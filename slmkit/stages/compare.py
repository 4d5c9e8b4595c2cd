"""The compare stage: several systems on the same gold items, and which of them to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from slmkit import charts
from slmkit.errors import SlmkitError
from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import ask_with_progress, refuse_leaky_systems
from slmkit.evaluation.caveats import differences, handicaps
from slmkit.evaluation.cost import cost_of_1000, model_of, train_seconds
from slmkit.evaluation.score import (
    Summary,
    answer_row,
    default_metric,
    retrieval_scores,
    score_answers,
    shared_documents,
    summarise,
)
from slmkit.evaluation.set_metrics import check_metrics, metric_name, more_rows, more_scores, slice_rows
from slmkit.evaluation.verdict import ScoredArm, Verdict, conclude, flipped_slices
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import release_shared_model
from slmkit.runs.run import Run
from slmkit.statistics.paired_tests import paired_difference
from slmkit.systems import NotApplicable, choose_by
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
    """Asks several systems the same gold questions and says which to take: the cheapest not worse than the best.

    metric None: the one the gold card names, else exact_match for labels and short answers, json_fields for
    extraction, f1 for long answers. more_metrics are measured beside it, for the table `more` alone: None takes macro
    F1 and calibration for labels, JSON validity and slot F1 for extraction, F1 else, with the rates of abstaining
    where some questions have no answer.
    margin: data are enough once a loss of more than this is ruled out, or shown. bar: the score that the arm taken
    must reach, else the exit code is 2.
    reference: the arm that differences are measured to; None takes the best that only prompts an untrained model.
    ladder: asks one system after the other, in the order named, and stops at the first that reaches the bar.
    repeats: {few-shot again: few-shot} says that one system is another run of the other, with another seed or from
    another training; it is no arm, it tells by how much a score changes by itself, and no arm is worse by less.
    price_per_hour: of the machine; a training is paid off over answers_per_training answers. Name the arms from
    simple to complex: where costs are alike, the first is taken.
    """
    frozen = read_gold(gold)
    refuse_leaky_systems(systems, frozen)
    examples = frozen.examples[:limit]
    clusters = shared_documents(examples)
    scorer = metric or default_metric(frozen)
    for part in systems.values():
        choose_by(part, scorer)
    file = AnswerFile(run.path("answered.jsonl"))
    measured: dict[str, _Measured] = {}
    for name in systems if ladder else sorted(systems, key=_by_model(systems)):
        try:
            answers = _answers(run, name, systems, frozen, examples, file)
        except NotApplicable as reason:
            run.note(f"{name} does not apply: {reason.what}")
            continue
        scores = score_answers(scorer, examples, answers)
        summary = summarise(frozen.task, answers, scores, clusters=clusters, seed=run.seed)
        trained = train_seconds(systems[name])
        cost = cost_of_1000(
            systems[name],
            summary,
            train_seconds=trained,
            price_per_hour=price_per_hour,
            answers_per_training=answers_per_training,
        )
        measured[name] = _Measured(answers, scores, summary, trained, cost)
        if ladder and bar is not None and summary.score.value >= bar:
            if above := [other for other in systems if other not in measured]:
                run.note(f"{name} reaches the bar of {bar:g}, so these were not asked: {', '.join(above)}")
            break
    release_shared_model()
    again = {name: of for name, of in (repeats or {}).items() if name in measured and of in measured}
    arms = [
        ScoredArm(
            name,
            measured[name].scores,
            measured[name].cost,
            is_prompting=part.name in _PROMPTING and not measured[name].train_seconds,
            is_floor=part.name == "majority",
        )
        for name, part in systems.items()
        if name in measured and name not in again
    ]
    if not arms:
        raise SlmkitError("none of the systems applies to this task", fix="add `prompt` to `systems`")
    noise = _noise_floor(run, measured, again, clusters)
    verdict = conclude(
        arms, margin=margin, bar=bar, reference=reference, clusters=clusters, noise=noise, seed=run.seed
    )
    more: list[dict[str, Any]] = []
    for name, arm in measured.items():
        beside = more_scores(
            frozen.task,
            more_metrics,
            examples,
            arm.answers,
            seed=run.seed,
            on_note=lambda text, name=name: run.note(f"{name}: {text}"),  # type: ignore[misc]
        )
        more += more_rows(name, beside)
        run.metric(**{f"{name}.{label}": score for label, score in beside.items()})
    run.table("more", more)
    by_arm = {arm.name: arm.scores for arm in arms}
    run.table("slices", slice_rows(examples, by_arm, labels=frozen.task.kind == "classification"))
    _report(run, arms, measured, verdict, file, examples)
    made_by = [{"system": arm.name, "gold": frozen.sha256[:12], "metric": metric_name(scorer)} for arm in arms]
    run.table("provenance", [row | file.setups[row["system"]] for row in made_by])
    uses = {name: systems[name].name for name in measured}
    trained_arms = [name for name, arm in measured.items() if arm.train_seconds]
    for warning in differences(uses, trained_arms, {n: arm.answers for n, arm in measured.items()}, file.setups):
        run.note(warning)
    for flip in flipped_slices(
        arms, verdict.chosen, [example.slice for example in examples], clusters=clusters, seed=run.seed
    ):
        run.note(flip)
    items = f"{len(examples):,} items of {frozen.task.name} (sha256 {frozen.sha256[:12]})"
    run.note(f"scored by {metric_name(scorer)} on {items}")
    if clusters:
        run.note(f"items that share a document count as one draw: {len(set(clusters)):,} documents")
    run.note(
        f"cost of 1,000 answers at {price_per_hour:g} a machine hour, a training paid off over "
        f"{answers_per_training:,} answers; p-values adjusted by Holm over all pairs of arms"
    )
    summaries = {name: arm.summary for name, arm in measured.items()}
    handicap = handicaps(len(frozen.task.labels), summaries, file.setups)
    run.verdict(verdict.text + handicap, positive=verdict.is_positive)


def check(
    *,
    systems: dict[str, SystemPart],
    gold: Input,
    metric: MetricPart | None = None,
    more_metrics: list[MetricPart] | None = None,
    bar: Fraction | None = None,
    reference: str | None = None,
    ladder: bool = False,
    repeats: dict[str, str] | None = None,
    **_: object,
) -> None:
    """Tries the metrics, and builds every system, which tells a missing model, template or key before any work."""
    if not systems:
        raise SlmkitError("there are no systems to compare", fix="add `systems: {prompt: {use: prompt}, …}`")
    arms = [name for name in systems if name not in (repeats or {})]
    if reference is not None and reference not in arms:
        raise SlmkitError(f"reference {reference!r} is none of the arms", fix=f"one of {', '.join(arms)}")
    if ladder and bar is None:
        raise SlmkitError("a ladder without a bar never stops", fix="add bar=0.9, the score that is good enough")
    for name, of in (repeats or {}).items():
        if not {name, of} <= set(systems) or name == of or of in (repeats or {}):
            raise SlmkitError(
                f"repeats says that {name!r} repeats {of!r}",
                fix=f"name two different ones of {', '.join(systems)}, the second not a repetition itself",
            )
    check_metrics(metric, more_metrics)
    if gold.exists():
        frozen = read_gold(gold)
        refuse_leaky_systems(systems, frozen)
        for part in systems.values():
            try:
                part(frozen.task)
            except NotApplicable:
                continue


_PROMPTING = ("prompt", "best_prompt", "openai_endpoint", "llama_cpp", "vllm")


@dataclass(frozen=True)
class _Measured:
    answers: list[Answer]
    scores: list[float]
    summary: Summary
    train_seconds: float
    cost: float  # of 1,000 answers


def _answers(
    run: Run,
    name: str,
    systems: Mapping[str, SystemPart],
    frozen: Gold,
    examples: Sequence[Example],
    file: AnswerFile,
) -> list[Answer]:
    part = systems[name]
    part(frozen.task)  # tells at once where it does not apply, even if all its answers are there
    alike = [other for other in systems if systems[other].key == part.key]
    return ask_with_progress(run, name, part, frozen.task, examples, file=file, repetition=alike.index(name))


def _noise_floor(
    run: Run, measured: Mapping[str, _Measured], again: Mapping[str, str], clusters: Sequence[str] | None
) -> float:
    """The largest change of a score between a system and its repetition; 0 where none is repeated."""
    rows = []
    for name, of in again.items():
        difference = paired_difference(measured[name].scores, measured[of].scores, clusters=clusters, seed=run.seed)
        rows.append({"system": name, "repeats": of} | asdict(difference))
        run.note(f"{name} differs from {of}, which it repeats, by {difference.value:+z.3f}")
    if not rows:
        return 0.0
    noise = float(max(abs(row["value"]) for row in rows))
    run.table("repeats", rows)
    run.metric(noise_floor=noise)
    run.note(f"a score changes by up to {noise:.3f} by itself: no arm is taken to be worse by less")
    return noise


def _by_model(systems: Mapping[str, SystemPart]) -> Callable[[str], tuple[int, int]]:
    """Sorts arms so that those on one model follow each other: it is loaded once, and freed before the next.

    Those without a model come first, so that the memory they take is their own.
    """
    names = list(systems)
    models = [None, *(model_of(systems[name]) for name in names)]
    return lambda name: (models.index(model_of(systems[name])), names.index(name))


def _report(
    run: Run,
    arms: Sequence[ScoredArm],
    measured: Mapping[str, _Measured],
    verdict: Verdict,
    file: AnswerFile,
    examples: Sequence[Example],
) -> None:
    """Tables, charts and metrics of the comparison."""
    rows = [
        _arm_row(arm, measured[arm.name], verdict, file) | retrieval_scores(examples, measured[arm.name].answers)
        for arm in arms
    ]
    run.table("arms", rows)
    run.table(
        "answers",
        (
            answer_row(arm.name, *row)
            for arm in arms
            for row in zip(examples, measured[arm.name].answers, measured[arm.name].scores, strict=True)
        ),
    )
    run.figure("arms", charts.arms(rows))
    run.figure("score_against_cost", charts.score_against_cost(rows, cost="cost_per_1000"))
    for arm in arms:
        run.metric(**{arm.name: measured[arm.name].summary.score})
    best = measured[verdict.best].summary.score
    run.metric(best_score=best, chosen_score=measured[verdict.chosen].summary.score)
    run.metric(detectable_difference=verdict.detectable, more_items=float(verdict.more_items))


def _arm_row(arm: ScoredArm, measured: _Measured, verdict: Verdict, file: AnswerFile) -> dict[str, Any]:
    summary = measured.summary
    row: dict[str, Any] = {
        "system": arm.name,
        "chosen": arm.name == verdict.chosen,
        "score": summary.score.value,
        "low": summary.score.low,
        "high": summary.score.high,
        "n": summary.score.n,
    }
    if arm.name != verdict.reference:
        difference = verdict.differences[arm.name]
        row |= {
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p_value": difference.p_value,
        }
    return row | {
        "reference": verdict.reference,
        "parse_rate": summary.parse_rate,
        "stop_rate": summary.stop_rate,
        "empty_rate": summary.empty_rate,
        "error_rate": summary.error_rate,
        "prompt_tokens": summary.prompt_tokens,
        "completion_tokens": summary.completion_tokens,
        "seconds_per_answer": summary.seconds_per_answer,
        "p50_seconds": summary.p50_seconds,
        "p95_seconds": summary.p95_seconds,
        "setup_seconds": file.setups[arm.name]["setup_seconds"],
        "peak_memory_bytes": file.peak_memory.get(arm.name),
        "train_seconds": measured.train_seconds,
        "cost_per_1000": measured.cost,
    }
