"""The judge stage: a system judges the answers of a finished run; its bar counts only if it agrees with people."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import ask
from slmkit.evaluation.judging import (
    FAILED,
    FEWEST_LABELS,
    RIGHT,
    TIE,
    WRONG,
    agreement,
    judge_task,
    pair_questions,
    points,
    rule_pair,
    rule_single,
    single_question,
)
from slmkit.evaluation.score import shared_documents
from slmkit.files import read_jsonl
from slmkit.models.load import release_shared_model
from slmkit.runs.run_folder import Run
from slmkit.statistics.intervals import mean_score
from slmkit.types import Answer, Example, Input, PositiveInt, SystemPart, Task

Row = dict[str, Any]


def judge(
    run: Run,
    *,
    judge: SystemPart,
    answers: Input,
    system: str,
    against: str | None = None,
    criterion: str = "You judge answers to a question.",
    show_target: bool = True,
    labels: Input | None = None,
    min_kappa: float = 0.4,
    bar: float | None = None,
    limit: PositiveInt | None = None,
) -> None:
    """Judges the answers of a compare or eval run: whether each is right, or better than another system's.

    answers: the run. system: the system whose answers are judged. against: another system; the judge sees both orders,
    and if the order decides, it is a tie. show_target: the judge also sees the target. labels: a file of human labels,
    {"id", "label"} lines with "right" or "wrong", or with the better system's name or "tie". bar: the mean points to
    reach, otherwise the exit code is 2. It requires at least 30 labels and a kappa whose 95% interval is above
    min_kappa.
    """
    ours, others = _rows(answers, system), _rows(answers, against) if against else {}
    ids = _judged(run, ours, others, against)[:limit]
    known = _labels(labels, system, against) if labels else {}
    file = AnswerFile(run.path("answered.jsonl"))
    if not ids:
        raise SlmkitError(
            f"{system} and {against} answered no example in common",
            where=str(answers),
            fix="judge two systems of one comparison",
        )
    task = judge_task(pairs=against is not None, criterion=criterion)
    if against:
        questions = [q for id in ids for q in pair_questions(ours[id], others[id], reference=show_target)]
        replies = _ask_judge(run, judge, task, questions, file)
        rulings = [rule_pair(id, system, against, replies[2 * i : 2 * i + 2]) for i, id in enumerate(ids)]
    else:
        questions = [single_question(ours[id], reference=show_target) for id in ids]
        rulings = [rule_single(reply) for reply in _ask_judge(run, judge, task, questions, file)]
    release_shared_model()
    counts = Counter(ruling.label for ruling in rulings)
    clusters = shared_documents([_example(ours[id]) for id in ids])
    score = mean_score(points(rulings, system), clusters=clusters, seed=run.seed)
    run.table("rulings", (asdict(ruling) | {"person": known.get(ruling.example_id)} for ruling in rulings))
    run.table("provenance", [{"system": "judge", **file.setups["judge"]}, *_made_by(answers, system, against)])
    run.metric(score=score, failure_rate=counts[FAILED] / len(rulings))
    if against:
        run.metric(swayed_rate=sum(ruling.is_swayed for ruling in rulings) / len(rulings))
    run.note(", ".join(f"{label}: {count:,}" for label, count in counts.most_common()))
    if counts[FAILED]:
        run.note(f"the judge failed on {counts[FAILED]:,} of {len(rulings):,} examples; they score 0")
    found = agreement(rulings, known)
    trusted = found.n >= FEWEST_LABELS and found.low >= min_kappa
    if known:
        run.metric(kappa=found.score)
    reached = bar is None or score.value >= bar
    if bar is not None and not trusted:
        raise RefusedError(
            f"the judge agrees too little with people: kappa {found.score}, its interval must be above {min_kappa:g}",
            where=str(labels),
            fix="use a better judge or a clearer criterion, label more answers, or remove `bar`",
        )
    what = f"{system} against {against}" if against else system
    backing = f"kappa with human labels {found.score}" if known else "not validated: there are no human labels"
    sentence = f"The judge scores {what} {score}; {backing}"
    if bar is not None:
        sentence += f", {'at or above' if reached else 'below'} the bar of {bar:g}"
    run.verdict(sentence + ".", positive=reached)


def check(
    *,
    judge: SystemPart,
    answers: Input,
    system: str,
    against: str | None = None,
    criterion: str = "",
    labels: Input | None = None,
    bar: float | None = None,
    **_: object,
) -> None:
    """Refuses a bar with fewer than 30 human labels, and systems that are not in the run."""
    if system == against:
        raise SlmkitError(
            f"a system cannot be compared with itself: {system!r}",
            where="against",
            fix="set `against` to another system",
        )
    judge(judge_task(pairs=against is not None, criterion=criterion))
    known = _labels(labels, system, against) if labels else {}
    if answers.exists():
        ids = set(_rows(answers, system)) & set(_rows(answers, against or system))
        if not ids:
            raise SlmkitError(
                f"{system} and {against} answered no example in common",
                where=str(answers),
                fix="choose two systems of one comparison, or remove `against`",
            )
        known = {id: label for id, label in known.items() if id in ids}
    if bar is not None and len(known) < FEWEST_LABELS:
        raise RefusedError(
            f"a bar needs at least {FEWEST_LABELS} human labels to validate the judge; there are {len(known)}",
            where=str(labels or "labels"),
            fix='set labels=FILE with {"id", "label"} lines for answers of this run, or remove `bar`',
        )


def _judged(run: Run, ours: dict[str, Row], others: dict[str, Row], against: str | None) -> list[str]:
    """The examples that can be judged; a note counts those that only one of the two systems answered."""
    if against is None:
        return list(ours)
    both = [id for id in ours if id in others]
    if alone := len(ours) + len(others) - 2 * len(both):
        run.note(f"{alone:,} examples were answered by only one of the two systems and are not judged")
    return both


def _ask_judge(run: Run, judge: SystemPart, task: Task, questions: list[Example], file: AnswerFile) -> list[Answer]:
    done = file.num_answered("judge", questions)
    with run.progress("judge", len(questions), "questions", done=done) as bar:
        return ask(
            lambda: judge(task),
            "judge",
            questions,
            file=file,
            on_answer=lambda answer: bar.advance(tokens=answer.prompt_tokens + answer.completion_tokens),
            on_note=run.note,
        )


def _made_by(answers: Path, *systems: str | None) -> list[Row]:
    """How the judged systems describe themselves, if their run has recorded it."""
    path = answers / "provenance.jsonl"
    return [row for row in (read_jsonl(path) if path.is_file() else []) if row["system"] in systems]


def _rows(answers: Path, system: str) -> dict[str, Row]:
    """The answers of one system, by example id."""
    path = answers / "answers.jsonl"
    if not path.is_file():
        raise SlmkitError("there is no answers.jsonl", where=str(answers), fix="use a run of compare or eval")
    rows = read_jsonl(path)
    found = {row["example_id"]: row for row in rows if row["system"] == system}
    if not found:
        names = ", ".join(dict.fromkeys(row["system"] for row in rows))
        raise SlmkitError(f"no answers of {system!r}", where=str(path), fix=f"use one of {names}")
    return found


def _example(row: Row) -> Example:
    """The example of an answers row, with the document it is about."""
    return Example(
        row["example_id"],
        row["input"],
        row["target"],
        relevant=tuple(row.get("relevant", ())),
        slice=row.get("slice", {}),
    )


def _labels(path: Path, system: str, against: str | None) -> dict[str, str]:
    """The human labels by example id."""
    allowed = (system, against, TIE) if against else (RIGHT, WRONG)
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            id, label = str(row["id"]), row["label"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise SlmkitError(
                f"not a label: {line[:60]!r}", where=f"{path}:{number}", fix='write {"id": …, "label": …}'
            ) from None
        if label not in allowed:
            words = ", ".join(str(word) for word in allowed)
            raise SlmkitError(f"unknown label {label!r}", where=f"{path}:{number}", fix=f"use one of {words}")
        found[id] = label
    return found
