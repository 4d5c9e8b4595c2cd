"""The compare stage: several systems on the same gold items, and which of them to take."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit import charts
from slmkit.data.gold import Gold, read_gold
from slmkit.errors import SlmkitError
from slmkit.evidence.measure import AnswerFile, Summary, answer_row, ask, default_metric, shared_documents, summarise
from slmkit.evidence.verdict import Arm, Verdict, conclude, flipped_slices
from slmkit.metrics.retrieval import mrr, ndcg, recall
from slmkit.models.load import release_shared_model
from slmkit.run import Run
from slmkit.systems import NotApplicable
from slmkit.types import Answer, Example, Input, MetricPart, ModelRef, SystemPart


def compare(
    run: Run,
    *,
    systems: dict[str, SystemPart],
    gold: Input,
    metric: MetricPart | None = None,
    limit: int | None = None,
    bar: float | None = None,
    margin: float = 0.05,
    reference: str | None = None,
    price_per_hour: float = 1.0,
    answers_per_training: int = 100_000,
) -> None:
    """Asks several systems the same gold questions and says which to take: the cheapest not worse than the best.

    metric None: the one the gold card names, else exact_match for labels and short answers, json_fields for
    extraction, f1 for long answers.
    margin: a loss that still counts as none. bar: the score that the arm taken must reach, else the exit code is 2.
    reference: the arm that differences are measured to; None takes the best that only prompts an untrained model.
    price_per_hour: of the machine; a training is paid off over answers_per_training answers. Name the arms from
    simple to complex: where costs are alike, the first is taken.
    """
    frozen = read_gold(gold)
    examples = frozen.examples[:limit]
    clusters = shared_documents(examples)
    scorer = metric or default_metric(frozen)
    file = AnswerFile(run.path("answered.jsonl"))
    measured: dict[str, _Measured] = {}
    for name in sorted(systems, key=_by_model(systems)):
        try:
            answers = _answers(run, name, systems[name], frozen, examples, file)
        except NotApplicable as reason:
            run.note(f"{name} does not apply: {reason.what}")
            continue
        scores = [scorer(example, answer) for example, answer in zip(examples, answers, strict=True)]
        summary = summarise(frozen.task, answers, scores, clusters=clusters, seed=run.seed)
        train_seconds = _train_seconds(systems[name])
        cost = _cost(systems[name], summary, train_seconds, price_per_hour, answers_per_training)
        measured[name] = _Measured(answers, scores, summary, train_seconds, cost)
    release_shared_model()
    arms = [
        Arm(
            name,
            measured[name].scores,
            measured[name].cost,
            is_prompting=part.name in _PROMPTING and not measured[name].train_seconds,  # type: ignore[attr-defined]
            is_floor=part.name == "majority",  # type: ignore[attr-defined]
        )
        for name, part in systems.items()
        if name in measured
    ]
    if not arms:
        raise SlmkitError("none of the systems applies to this task", fix="add `prompt` to `systems`")
    verdict = conclude(arms, margin=margin, bar=bar, reference=reference, clusters=clusters, seed=run.seed)
    metric_name = getattr(scorer, "label", None) or scorer.__name__
    _report(run, arms, measured, verdict, file, examples)
    made_by = [{"system": arm.name, "gold": frozen.sha256[:12], "metric": metric_name} for arm in arms]
    run.table("provenance", [row | file.setups[row["system"]] for row in made_by])
    for warning in _warnings(systems, measured, file):
        run.note(warning)
    for flip in flipped_slices(
        arms, verdict.chosen, [example.slice for example in examples], clusters=clusters, seed=run.seed
    ):
        run.note(flip)
    run.note(f"scored by {metric_name} on {len(examples):,} items of {frozen.task.name} (sha256 {frozen.sha256[:12]})")
    if clusters:
        run.note(f"items that share a document count as one draw: {len(set(clusters)):,} documents")
    run.note(
        f"cost of 1,000 answers at {price_per_hour:g} a machine hour, a training paid off over "
        f"{answers_per_training:,} answers; p-values adjusted by Holm over all pairs of arms"
    )
    run.verdict(verdict.text, positive=verdict.is_positive)


def check(
    *, systems: dict[str, SystemPart], gold: Input, limit: int | None, reference: str | None, **_: object
) -> None:
    """Builds every system, which tells a missing model, template or key before any work."""
    if not systems:
        raise SlmkitError("there are no systems to compare", fix="add `systems: {prompt: {use: prompt}, …}`")
    if limit is not None and limit < 1:
        raise SlmkitError(f"limit is {limit}", fix="give at least 1, or leave it out for the whole gold set")
    if reference is not None and reference not in systems:
        raise SlmkitError(f"reference {reference!r} is none of the systems", fix=f"one of {', '.join(systems)}")
    if gold.exists():
        task = read_gold(gold).task
        for part in systems.values():
            try:
                part(task)
            except NotApplicable:
                continue


_PROMPTING = ("prompt", "best_prompt", "openai_endpoint")
_SAME_ANSWERS = 0.99  # from this share on, a trained arm is suspected of answering as its base does


@dataclass(frozen=True)
class _Measured:
    answers: list[Answer]
    scores: list[float]
    summary: Summary
    train_seconds: float
    cost: float  # of 1,000 answers


def _answers(
    run: Run, name: str, part: SystemPart, frozen: Gold, examples: Sequence[Example], file: AnswerFile
) -> list[Answer]:
    part(frozen.task)  # tells at once where it does not apply, even if all its answers are there
    with run.progress(f"answer {name}", len(examples), "answers") as bar:
        return ask(
            lambda: part(frozen.task),
            name,
            examples,
            file=file,
            on_answer=lambda answer: bar.advance(tokens=answer.prompt_tokens + answer.completion_tokens),
            on_note=run.note,
        )


def _by_model(systems: Mapping[str, SystemPart]) -> Callable[[str], tuple[int, int]]:
    """Sorts arms so that those on one model follow each other: it is loaded once, and freed before the next."""
    names = list(systems)
    models = [_model(systems[name]) for name in names]
    return lambda name: (models.index(_model(systems[name])), names.index(name))


def _model(part: SystemPart) -> ModelRef | None:
    found = part.arguments.get("model")  # type: ignore[attr-defined]
    return found if isinstance(found, ModelRef) else None


def _train_seconds(part: SystemPart) -> float:
    """How long the run trained that made the arm's model, over all its sessions; 0 where no run did."""
    model = _model(part)
    path = Path(model.path) / "result.json" if model else None
    if path is None or not path.is_file():
        return 0.0
    result = json.loads(path.read_text(encoding="utf-8"))
    return float(result.get("metrics", {}).get("train_seconds", result["seconds"]))


def _warnings(systems: Mapping[str, SystemPart], measured: Mapping[str, _Measured], file: AnswerFile) -> list[str]:
    """What makes the arms hard to compare: a training that changed nothing, several templates or number types."""
    found = []
    use = {name: systems[name].name for name in measured}  # type: ignore[attr-defined]
    plain = {use[name]: name for name, arm in measured.items() if not arm.train_seconds}
    for name, arm in measured.items():
        if arm.train_seconds and (other := plain.get(use[name])):
            pairs = zip(arm.answers, measured[other].answers, strict=True)
            same = sum(ours.text == theirs.text for ours, theirs in pairs) / len(arm.answers)
            if same >= _SAME_ANSWERS:
                found.append(f"{name} answers {same:.0%} of the items as {other} does: did its training do anything?")
    for key in ("template", "dtype"):
        values = {str(file.setups[name][key]) for name in measured if key in file.setups[name]}
        if len(values) > 1:
            found.append(f"the arms differ in {key} ({', '.join(sorted(values))}), so not in the model alone")
    return found


def _cost(
    part: SystemPart, summary: Summary, train_seconds: float, price_per_hour: float, answers_per_training: int
) -> float:
    """Of 1,000 answers: their tokens where the system has prices, else the machine's time; and the training."""
    seconds = train_seconds / answers_per_training
    prices = [
        float(part.arguments.get(f"price_per_million_{kind}_tokens", 0.0))  # type: ignore[attr-defined]
        for kind in ("prompt", "completion")
    ]
    if any(prices):
        tokens = (summary.prompt_tokens * prices[0] + summary.completion_tokens * prices[1]) / 1_000_000
    else:
        tokens = 0.0
        seconds += summary.seconds_per_answer
    return 1000 * (tokens + seconds / 3600 * price_per_hour)


def _report(
    run: Run,
    arms: Sequence[Arm],
    measured: Mapping[str, _Measured],
    verdict: Verdict,
    file: AnswerFile,
    examples: Sequence[Example],
) -> None:
    """Tables, charts and metrics of the comparison."""
    rows = [
        _arm_row(arm, measured[arm.name], verdict, file.setups[arm.name]["setup_seconds"])
        | _retrieval(examples, measured[arm.name].answers)
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


def _retrieval(examples: Sequence[Example], answers: Sequence[Answer]) -> dict[str, float]:
    """How well the arm found the passages that hold the answers; nothing where it looks none up or gold names none."""
    told = [(example, answer) for example, answer in zip(examples, answers, strict=True) if example.relevant]
    if not any(answer.passages for _, answer in told):
        return {}
    return {metric.__name__: sum(metric(*pair) for pair in told) / len(told) for metric in (recall, mrr, ndcg)}


def _arm_row(arm: Arm, measured: _Measured, verdict: Verdict, setup_seconds: float) -> dict[str, Any]:
    summary = measured.summary
    row: dict[str, Any] = {
        "system": arm.name,
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
        "setup_seconds": setup_seconds,
        "train_seconds": measured.train_seconds,
        "cost_per_1000": measured.cost,
    }
