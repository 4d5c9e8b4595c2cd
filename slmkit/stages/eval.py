"""The eval stage: scores one system on one gold set, with an interval and the rates that explain the score."""

from __future__ import annotations

from collections.abc import Mapping

from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import ask_with_progress, refuse_leaky_systems
from slmkit.evaluation.caveats import handicaps
from slmkit.evaluation.per_label import label_rows
from slmkit.evaluation.score import answer_row, default_metric, score_answers, shared_documents, summarise
from slmkit.evaluation.set_metrics import check_metrics, metric_name, more_scores
from slmkit.evaluation.unreachable_targets import check_targets, unreachable_text
from slmkit.evaluation.unseen_labels import unseen_labels
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import release_shared_model
from slmkit.runs.run_folder import Run
from slmkit.statistics.intervals import mean_score
from slmkit.systems import set_default_metric
from slmkit.types import Fraction, Input, MetricPart, PositiveInt, Score, SystemPart


def eval(
    run: Run,
    *,
    system: SystemPart,
    gold: Input,
    metric: MetricPart | None = None,
    more_metrics: list[MetricPart] | None = None,
    limit: PositiveInt | None = None,
    bar: Fraction | None = None,
) -> None:
    """Scores one system on a gold set, with a 95% interval, parse rate, stop rate, tokens and latency.

    metric: None: the metric named in the gold card, otherwise exact_match for labels and short answers, json_fields
    for extraction, f1 for long answers. more_metrics: additional metrics; None: macro F1 and calibration for labels,
    JSON validity and slot F1 for extraction, otherwise F1, plus abstention rates if some questions have no answer.
    limit: use only the first examples of the gold set. bar: the score to reach, otherwise the exit code is 2.
    """
    frozen = read_gold(gold)
    refuse_leaky_systems({system.label: system}, frozen)
    examples = frozen.examples[:limit]
    clusters = shared_documents(examples)
    scorer = metric or default_metric(frozen)
    set_default_metric(system, scorer)
    name = system.label
    check_targets(scorer, examples, where=str(frozen.folder))
    for one in more_metrics or ():
        if text := unreachable_text(one, examples):
            run.note(text)
    file = AnswerFile(run.path("answered.jsonl"))
    answers = ask_with_progress(run, name, system, frozen.task, examples, file=file)
    release_shared_model()
    scores = score_answers(scorer, examples, answers)
    summary = summarise(frozen.task, answers, scores, clusters=clusters, seed=run.seed)
    run.table("answers", (answer_row(name, *row) for row in zip(examples, answers, scores, strict=True)))
    run.metric(
        score=summary.score,
        parse_rate=summary.parse_rate,
        stop_rate=summary.stop_rate,
        empty_rate=summary.empty_rate,
        error_rate=summary.error_rate,
        prompt_tokens=summary.prompt_tokens,
        completion_tokens=summary.completion_tokens,
        seconds_per_answer=summary.seconds_per_answer,
        p50_seconds=summary.p50_seconds,
        setup_seconds=float(file.setups[name]["setup_seconds"]),
    )
    if summary.p95_seconds is not None:
        run.metric(p95_seconds=summary.p95_seconds)
    run.metric(**more_scores(frozen.task, more_metrics, examples, answers, seed=run.seed, on_note=run.note))
    if frozen.task.kind == "classification":
        run.table("labels", label_rows(examples, answers))
    run.table(
        "provenance",
        [{"system": name, "gold": frozen.sha256[:12], "metric": metric_name(scorer), **file.setups[name]}],
    )
    run.table("slices", _slice_rows([example.slice for example in examples], scores, clusters, seed=run.seed))
    reached = bar is None or summary.score.value >= bar
    sentence = f"{name} scores {summary.score} by {metric_name(scorer)} on {frozen.task.name}"
    if bar is not None:
        sentence += f", {'at or above' if reached else 'below'} the bar of {bar:g}"
    handicap = handicaps(len(frozen.task.labels), {system.name: summary}, {system.name: file.setups[name]})
    unseen = unseen_labels(frozen.task, {system.name: system}, examples)
    unread = f" {text}." if (text := unreachable_text(scorer, examples)) else ""
    run.verdict(f"{sentence}.{handicap}{unseen}{unread}", positive=reached)


def check(
    *,
    system: SystemPart,
    gold: Input,
    metric: MetricPart | None = None,
    more_metrics: list[MetricPart] | None = None,
    limit: PositiveInt | None = None,
    **_: object,
) -> None:
    """Tries the metrics and builds the system, so that a missing model, template or key is found before any work."""
    check_metrics(metric, more_metrics)
    if gold.exists():
        frozen = read_gold(gold)
        check_targets(metric or default_metric(frozen), frozen.examples[:limit], where=str(gold))
        refuse_leaky_systems({system.label: system}, frozen)
        system(frozen.task)


def _slice_rows(
    slices: list[Mapping[str, str]], scores: list[float], clusters: list[str] | None, *, seed: int
) -> list[dict[str, object]]:
    """The score of each slice of the gold set, with its interval."""
    rows: list[dict[str, object]] = []
    for key, value in sorted({pair for row in slices for pair in row.items()}):
        at = [i for i, row in enumerate(slices) if row.get(key) == value]
        inside = [clusters[i] for i in at] if clusters else None
        score: Score = mean_score([scores[i] for i in at], clusters=inside, seed=seed)
        rows.append(
            {"slice": f"{key}={value}", "score": score.value, "low": score.low, "high": score.high, "n": score.n}
        )
    return rows
