"""The judge stage: a system rules on the answers of a finished run, and decides only where people agree with it."""

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
    Ruling,
    agreement,
    judge_task,
    pair_questions,
    points,
    rule_pair,
    rule_single,
    single_question,
)
from slmkit.evaluation.score import shared_documents
from slmkit.models.load import release_shared_model
from slmkit.runs.run import Run
from slmkit.statistics.intervals import mean_score
from slmkit.types import Example, Input, PositiveInt, SystemPart

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
    """Lets a system rule on the answers of a compare or eval run: whether each is right, or better than another arm's.

    answers: the run. system: the arm whose answers are judged. against: another arm; both orders are asked, and what
    the order decides is a tie. show_target: the judge sees the right answer too. labels: a file of {"id", "label"}
    lines by people, "right" or "wrong", or the name of the better arm or "tie". bar: the share of points to be
    reached, else the exit code is 2; it needs 30 labels or more, and a kappa whose 95 % interval lies above min_kappa.
    """
    ours, others = _rows(answers, system), _rows(answers, against) if against else {}
    ids = _judged(run, ours, others, against)[:limit]
    known = _labels(labels, system, against) if labels else {}
    file = AnswerFile(run.path("answered.jsonl"))
    if not ids:
        raise SlmkitError(f"{system} and {against} answered no example in common", fix="judge arms of one gold set")
    rulings = _rule(run, judge, ours, others, ids, against, criterion, show_target, system, file)
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
        run.note(f"the judge failed on {counts[FAILED]:,} of {len(rulings):,}, which count as lost, not as unasked")
    found = agreement(rulings, known)
    trusted = found.n >= FEWEST_LABELS and found.low >= min_kappa
    if known:
        run.metric(kappa=found.score)
    reached = bar is None or score.value >= bar
    if bar is not None and not trusted:
        raise RefusedError(
            f"the judge may not decide: its kappa with people is {found.score}, and must be shown to be {min_kappa:g}",
            where=str(labels),
            fix="take a better judge or a clearer criterion, label more answers, or leave `bar` out",
        )
    what = f"{system} against {against}" if against else system
    backing = f"kappa with people {found.score}" if known else "no label by people says how far to trust it"
    sentence = f"The judge gives {what} {score}; {backing}"
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
    """Refuses a bar without at least 30 labels by people, and names that are not in the run."""
    if system == against:
        raise SlmkitError(f"{system!r} is held against itself", fix="name another arm in `against`")
    judge(judge_task(pairs=against is not None, criterion=criterion))
    known = _labels(labels, system, against) if labels else {}
    if answers.exists():
        ids = set(_rows(answers, system)) & set(_rows(answers, against or system))
        if not ids:
            raise SlmkitError(
                f"{system} and {against} have answered no example in common",
                where=str(answers),
                fix="name two arms of one comparison, or leave `against` out",
            )
        known = {id: label for id, label in known.items() if id in ids}
    if bar is not None and len(known) < FEWEST_LABELS:
        raise RefusedError(
            f"a judge may decide only after at least {FEWEST_LABELS} labels by people; there are {len(known)}",
            where=str(labels or "labels"),
            fix='give labels=FILE with {"id", "label"} lines for answers of this run, or leave `bar` out',
        )


def _judged(run: Run, ours: dict[str, Row], others: dict[str, Row], against: str | None) -> list[str]:
    """The examples that have the answers a ruling needs; a note tells how many lack that of one arm."""
    if against is None:
        return list(ours)
    both = [id for id in ours if id in others]
    if alone := len(ours) + len(others) - 2 * len(both):
        run.note(f"{alone:,} examples have an answer of one of the two arms only, and are not judged")
    return both


def _rule(
    run: Run,
    judge: SystemPart,
    ours: dict[str, Row],
    others: dict[str, Row],
    ids: list[str],
    against: str | None,
    criterion: str,
    show_target: bool,
    system: str,
    file: AnswerFile,
) -> list[Ruling]:
    task = judge_task(pairs=against is not None, criterion=criterion)
    if against:
        questions = [q for id in ids for q in pair_questions(ours[id], others[id], reference=show_target)]
    else:
        questions = [single_question(ours[id], reference=show_target) for id in ids]
    done = file.num_answered("judge", questions)
    with run.progress("judge", len(questions), "questions", done=done) as bar:
        said = ask(
            lambda: judge(task),
            "judge",
            questions,
            file=file,
            on_answer=lambda answer: bar.advance(tokens=answer.prompt_tokens + answer.completion_tokens),
            on_note=run.note,
        )
    if against:
        return [rule_pair(id, system, against, said[2 * i : 2 * i + 2]) for i, id in enumerate(ids)]
    return [rule_single(answer) for answer in said]


def _made_by(answers: Path, *systems: str | None) -> list[Row]:
    """What the systems whose answers are judged said of themselves, where their run kept it."""
    path = answers / "provenance.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [row for row in map(json.loads, lines) if row["system"] in systems]


def _rows(answers: Path, system: str) -> dict[str, Row]:
    """The answers of one arm by example."""
    path = answers / "answers.jsonl"
    if not path.is_file():
        raise SlmkitError("no answers.jsonl", where=str(answers), fix="name a run of compare or eval")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    found = {row["example_id"]: row for row in rows if row["system"] == system}
    if not found:
        names = ", ".join(dict.fromkeys(row["system"] for row in rows))
        raise SlmkitError(f"no answers of {system!r}", where=str(path), fix=f"one of {names}")
    return found


def _example(row: Row) -> Example:
    """The question of an answers row, with what says which document it is about."""
    return Example(
        row["example_id"],
        row["input"],
        row["target"],
        relevant=tuple(row.get("relevant", ())),
        slice=row.get("slice", {}),
    )


def _labels(path: Path, system: str, against: str | None) -> dict[str, str]:
    """What people said, by example."""
    allowed = (system, against, TIE) if against else (RIGHT, WRONG)
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            id, label = str(row["id"]), row["label"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise SlmkitError("not a label", where=f"{path}:{number}", fix='a line is {"id": …, "label": …}') from None
        if label not in allowed:
            words = ", ".join(str(word) for word in allowed)
            raise SlmkitError(f"label {label!r} is not one of {words}", where=f"{path}:{number}", fix="mend the line")
        found[id] = label
    return found
