"""Faults are planted where requested, the worst slice is found and fixed, and the gate rejects what is not better."""

import json
from pathlib import Path

from slmkit.evaluation.lesson_arms import LessonArm
from slmkit.files import write_json
from slmkit.lessons.fix_worst_slice import slice_scores
from slmkit.lessons.plant_faults import is_in, misfiled, plant_faults
from slmkit.lessons.project_loop import gate
from slmkit.runs.run_folder import Run
from slmkit.types import Answer, Example


def letters(folder: Path) -> Path:
    rows = [
        {"id": f"{topic}-{urgency}", "input": "x", "target": f"code: {topic}-{urgency}; team: {topic}; reply: hello",
         "slice": {"topic": topic, "urgency": urgency}}
        for topic in ("delivery", "account", "repair") for urgency in ("now", "later")
    ]  # fmt: skip
    run = Run(folder / "letters")
    run.table("data", rows)
    write_json(run.path("result.json"), {})
    return run.dir


def arm(*scores: int) -> LessonArm:
    examples = [Example(str(i), "q", "a", slice={"half": str(i % 2)}) for i in range(len(scores))]
    return LessonArm(examples, [Answer(e.id, "a") for e in examples], [float(s) for s in scores])


def test_faults_are_planted_where_requested(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    plant_faults(
        run,
        data=letters(tmp_path),
        wrong="topic=delivery",
        as_in="topic=account",
        missing=["topic=repair", "urgency=now"],
    )
    rows = {row["id"]: row["target"] for row in map(json.loads, (run.dir / "data.jsonl").read_text().splitlines())}
    assert rows["delivery-now"] == "code: account-now; team: account; reply: hello"
    assert rows["account-now"] == "code: account-now; team: account; reply: hello"
    assert "repair-now" not in rows and "repair-later" in rows
    assert run.metrics == {"rows": 5, "wrong_answers": 2, "missing_rows": 1}


def test_a_mislabelled_letter_keeps_its_own_reply() -> None:
    assert misfiled("code: a; team: b; reply: c, we come", as_in="code: x; team: y; reply: z") == (
        "code: x; team: y; reply: c, we come"
    )
    assert is_in({"topic": "a", "day": "2"}, ["topic=a"]) and not is_in({"topic": "a"}, ["topic=a", "day=2"])
    assert not is_in({"topic": "a"}, [])


def test_the_score_of_each_slice_shows_where_the_errors_are() -> None:
    assert slice_scores(arm(1, 0, 1, 0)) == [
        {"slice": "half=0", "score": 1.0, "n": 2},
        {"slice": "half=1", "score": 0.0, "n": 2},
    ]


def test_the_gate_ships_what_reaches_the_bar_and_is_not_worse() -> None:
    old, better = arm(*[1] * 20, *[0] * 20), arm(*[1] * 40)
    assert gate(better, old, bar=0.9)
    assert not gate(old, old, bar=0.9)
    assert not gate(old, better, bar=0.4)
