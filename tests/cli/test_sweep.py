"""slmkit sweep: its search space; it finds the best trial, resumes after a kill, prunes trials and refuses gold."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, read_jsonl, write

from slmkit.cli.sweep import search as module
from slmkit.cli.sweep.space import Choices, Range, combinations, read_space
from slmkit.errors import SlmkitError
from slmkit.recipe.layer import Layer
from slmkit.recipe.load_recipe import Recipe

Slmkit = Callable[..., Finished]

STAGES = """
import time
from slmkit.errors import FailedError
from slmkit.types import Input

def bowl(run, *, x: float = 4.0, y: int = 3, kind: str = "round", steps: int = 3, seconds: float = 0.0):
    '''A loss that falls to (x - 1)^2 + (y - 2)^2, a point more where it is square.'''
    if kind == "broken":
        raise FailedError("loss is nan at step 1")
    if kind == "diverged":
        run.metric(validation_loss=float("nan"))
        return
    loss = (x - 1) ** 2 + (y - 2) ** 2 + (kind == "square")
    start = int(run.checkpoint.name.split("-")[1]) if run.checkpoint else -1
    for step in range(start + 1, steps + 1):
        time.sleep(seconds)
        run.log(step, validation_loss=loss if step else 100.0)
        run.path(f"checkpoints/checkpoint-{step}").mkdir(exist_ok=True)
    run.metric(validation_loss=loss, skill=-loss, started_at=start + 1)

def measured(run, *, gold: Input, x: float = 1.0):
    '''Measures on gold.'''
    run.metric(score=x)
"""


@pytest.fixture(autouse=True)
def _recipes(project: Path, without_curves: None) -> None:
    write(project / "mine.py", STAGES)
    write(project / "gold.jsonl", "{}\n")
    write(project / "recipes/bowl.yaml", "title: Bowl\nstage: ./mine.py:bowl\n")
    write(project / "recipes/measured.yaml", "title: M\nstage: ./mine.py:measured\nwith: {gold: gold.jsonl}\n")


def test_a_list_is_a_choice_two_dots_a_range_and_other_values_are_fixed() -> None:
    values = {"a": [1, 2], "b": "1e-5..1e-3", "c": "4..32", "d": "../data", "e": 3, "lora.r": [8]}
    space, fixed = read_space(recipe({"lora": {"r": [4, 16]}, "a": "1..2"}), values)
    assert space == {"a": Choices((1, 2)), "b": Range(1e-5, 1e-3), "c": Range(4, 32), "lora.r": Choices((8,))}
    assert fixed == {"d": "../data", "e": 3}
    assert space["b"].is_logarithmic  # type: ignore[union-attr]
    assert (space["c"].is_integer, Range(0.0, 1.0).is_logarithmic) == (True, False)  # type: ignore[union-attr]


@pytest.mark.parametrize("wrong", [{"a": []}, {"a": "3..1"}, {"a": "1..1"}])
def test_an_empty_space_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SlmkitError):
        read_space(recipe({}), wrong)


def recipe(sweep: dict[str, object]) -> Recipe:
    return Recipe("bowl", Path("bowl.yaml"), Layer({"stage": "bowl", "sweep": sweep}, {}), "tiny")


def test_combinations_are_unique_and_shuffled_by_the_seed() -> None:
    space = {"a": Choices((1, 2, 3)), "b": Choices(("x", "y"))}
    found = combinations(space, seed=0)
    assert found is not None
    assert len({json.dumps(values) for values in found}) == 6
    assert found == combinations(space, seed=0) != combinations(space, seed=1)
    assert combinations({"a": Range(0, 1)}, seed=0) is None


def test_all_choices_are_tried_and_the_best_is_found_by_its_command(slmkit: Slmkit) -> None:
    done = slmkit("sweep", "bowl", "x=[0.5, 1]", "y=[2, 5]", "--json")
    assert done.code == 0, done.err
    assert len(done.json["trials"]) == 4
    assert done.json["best"]["values"] == {"x": 1, "y": 2}
    assert done.json["metrics"] == {
        "validation_loss": 0.0, "validation_loss_as_written": 10.0, "trials": 4, "stopped_early": 0, "failed": 0
    }  # fmt: skip
    again = slmkit(*shlex.split(done.json["best"]["command"])[1:], "--json")
    assert (again.json["ran"], again.json["dir"]) == ([], done.json["best"]["dir"])
    folder = Path(done.json["dir"])  # and the report has the table and one chart per key
    assert [row["x"] for row in read_jsonl(folder / "trials.jsonl")] == [row["x"] for row in done.json["trials"]]
    assert {path.name for path in (folder / "figures").iterdir()} == {"by_x.svg", "by_y.svg"}
    assert done.json["verdict"]["text"] in Path(done.json["report"]).read_text(encoding="utf-8")
    assert slmkit("show", "sweep/bowl").code == 0


def test_a_finished_sweep_is_reused_unless_forced(slmkit: Slmkit) -> None:
    def written(row: dict[str, str]) -> int:
        return Path(row["dir"], "result.json").stat().st_mtime_ns

    first = slmkit("sweep", "bowl", "x=[1, 2]", "--json").json["trials"]
    times = [written(row) for row in first]
    assert slmkit("sweep", "bowl", "x=[1, 2]", "--json").json["trials"] == first
    assert [written(row) for row in first] == times
    assert len(slmkit("sweep", "bowl", "x=[1, 2]", "--json", "--force").json["trials"]) == 2
    assert all(written(row) > time for row, time in zip(first, times, strict=True))


@pytest.mark.long
def test_ranges_are_searched_within_their_bounds(slmkit: Slmkit) -> None:
    done = slmkit("sweep", "bowl", "x=0.1..9.0", "y=1..4", "--trials", "12", "--json")
    tried = done.json["trials"]
    assert len(tried) == 12
    assert all(0.1 <= row["x"] <= 9 and row["y"] in (1, 2, 3, 4) for row in tried)
    assert done.json["best"]["validation_loss"] < 1.0
    assert done.json["metrics"]["stopped_early"] > 0


@pytest.mark.long
def test_maximize_reverses_the_direction(slmkit: Slmkit) -> None:
    best = slmkit("sweep", "bowl", "x=[1, 9]", "--maximize", "skill", "--json").json["best"]
    assert best["values"] == {"x": 1}
    worst = slmkit("sweep", "bowl", "x=[1, 9]", "--minimize", "skill", "--json").json["best"]
    assert worst["values"] == {"x": 9}


def test_a_sweep_that_does_not_beat_the_recipe_exits_with_2(slmkit: Slmkit) -> None:
    done = slmkit("sweep", "bowl", "x=[7, 9]", "--json")
    assert done.code == 2
    assert done.json["verdict"]["positive"] is False and "of 2 " in done.json["verdict"]["text"]


def test_the_command_line_overrides_the_search_space_of_a_recipe(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/own.yaml", "title: B\nstage: ./mine.py:bowl\nsweep:\n  x: [1, 2]\n  y: 1..3\n")
    assert slmkit("check", "own").code == 0
    shown = slmkit("sweep", "own", "y=2", "--dry-run", "--json").json
    assert (list(shown["space"]), shown["trials"]) == (["x"], 2)
    assert not (project / "runs").exists()
    assert slmkit("run", "own", "--json").json["metrics"]["validation_loss"] == 10.0  # `run` ignores `sweep:`


@pytest.mark.parametrize("command", [("sweep", "own"), ("check", "own")])
@pytest.mark.parametrize(
    ("space", "what"),
    [("[]", "x"), ("3..1", "3..1"), ("5", "sweep.x: 5")],
)
def test_a_wrong_search_space_in_a_recipe_is_refused_with_its_line(
    slmkit: Slmkit, project: Path, command: tuple[str, ...], space: str, what: str
) -> None:
    write(project / "recipes/own.yaml", f"stage: ./mine.py:bowl\nsweep:\n  y: 1..3\n  x: {space}\n")
    done = slmkit(*command)
    assert done.code == 3
    assert what in done.out + done.err and "recipes/own.yaml:4: sweep.x" in done.out + done.err


def test_a_failed_trial_is_reported_and_the_sweep_continues(slmkit: Slmkit) -> None:
    done = slmkit("sweep", "bowl", "kind=[round, broken, square]", "--json")
    [failed] = [row for row in done.json["trials"] if row["ended"] == "failed"]
    assert (failed["kind"], failed["why"]) == ("broken", "loss is nan at step 1")
    assert done.json["best"]["values"] == {"kind": "round"}


def test_a_trial_whose_metric_is_nan_has_failed(slmkit: Slmkit, monkeypatch: pytest.MonkeyPatch) -> None:
    count, run_trial = iter(range(5)), module._run_trial
    monkeypatch.setattr(module, "_run_trial", lambda *args: (next(count), run_trial(*args)))  # no endless sweep
    done = slmkit("sweep", "bowl", "kind=[round, diverged]", "--json")
    ends = {row["kind"]: row["ended"] for row in done.json["trials"]}
    assert ends == {"round": "done", "diverged": "failed"}
    assert ["nan" in row["why"] for row in done.json["trials"] if row["kind"] == "diverged"] == [True]


def test_a_recipe_whose_metric_is_nan_as_written_can_be_swept(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/bowl.yaml", "stage: ./mine.py:bowl\nwith: {kind: diverged}\n")
    done = slmkit("sweep", "bowl", "kind=[round, square]", "--json")
    assert done.code == 0
    assert done.json["best"]["values"] == {"kind": "round"}
    assert "validation_loss_as_written" not in done.json["metrics"]


@pytest.mark.long
def test_a_resumed_sweep_ends_like_an_uninterrupted_one(slmkit: Slmkit, project: Path) -> None:
    words = ["sweep", "bowl", "x=0.1..9.0", "steps=4", "seconds=0.02", "--trials", "6", "--json"]
    command = [sys.executable, "-m", "slmkit", *words]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(Path("runs/bowl").glob("*/result.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    made = {path.parent for path in Path("runs/bowl").glob("*/result.json")}
    assert 3 <= len(made) < 7
    resumed = slmkit(*words).json
    for folder in made:  # reused, not run again
        assert json.loads((folder / "result.json").read_text())["metrics"]["started_at"] == 0
    other = project / "other"
    other.mkdir()
    write(other / "mine.py", STAGES)
    write(other / "recipes/bowl.yaml", (project / "recipes/bowl.yaml").read_text())
    os.chdir(other)
    whole = slmkit(*words).json
    assert [(row["trial"], row["x"], row["ended"]) for row in resumed["trials"]] == [
        (row["trial"], row["x"], row["ended"]) for row in whole["trials"]
    ]


def test_more_trials_continue_a_finished_sweep(slmkit: Slmkit) -> None:
    few = slmkit("sweep", "bowl", "x=[1, 2, 3, 4]", "--trials", "2", "--json").json
    more = slmkit("sweep", "bowl", "x=[1, 2, 3, 4]", "--trials", "4", "--json").json
    assert few["dir"] == more["dir"]
    assert [row for row in more["trials"] if row["trial"] <= 2] == sorted(few["trials"], key=lambda row: row["x"])


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["bowl"], 3, "bowl"),
        (["bowl", "x=1"], 3, "bowl"),
        (["bowl", "x=1..many"], 3, "x=1..many"),
        (["bowl", "z=[1, 2]"], 3, "'z'"),
        (["bowl", "y=[1, many]"], 3, "y=many"),
        (["bowl", "x=[1, 2]", "--minimize", "a", "--maximize", "b"], 3, "--maximize"),
        (["bowl", "x=[1, 2]", "--minimize", "validation_los"], 3, "'validation_loss'"),
        (["measured", "x=[1, 2]", "--maximize", "score"], 4, "gold"),
    ],
)
def test_mistakes_are_refused_before_a_trial_runs(slmkit: Slmkit, words: list[str], code: int, part: str) -> None:
    done = slmkit("sweep", *words)
    assert done.code == code, done.err
    assert part in "\n".join(done.error_lines)
    assert not list(Path("runs/sweep").rglob("result.json"))


def test_integer_bounds_of_a_float_key_are_a_float_range(slmkit: Slmkit) -> None:
    shown = slmkit("sweep", "bowl", "x=0..1", "y=1..4", "--dry-run", "--json").json["space"]
    assert shown == {"x": "0.0 to 1.0", "y": "1 to 4"}


def test_integer_bounds_are_read_by_the_key_beside_fixed_values(slmkit: Slmkit, project: Path) -> None:
    write(project / "need.py", "def need(run, *, w: str, x: float = 1.0):\n    '''N.'''\n")
    write(project / "recipes/need.yaml", "stage: ./need.py:need\n")
    shown = slmkit("sweep", "need", "w=a", "x=0..1", "--dry-run", "--json").json["space"]
    assert shown == {"x": "0.0 to 1.0"}


@pytest.mark.long
def test_no_combination_is_tried_twice(slmkit: Slmkit) -> None:
    assert [row["x"] for row in slmkit("sweep", "bowl", "x=[1, 2, 1]", "--json").json["trials"]] == [1, 2]
    few = slmkit("sweep", "bowl", "y=1..2", "kind=[round, square]", "--trials", "20", "--json").json["trials"]
    assert len({(row["y"], row["kind"]) for row in few}) == len(few) == 4  # every combination
    more = slmkit("sweep", "bowl", "y=1..5", "--trials", "4", "--json").json["trials"]
    assert len({row["y"] for row in more}) == 4


def test_an_exception_in_the_users_stage_fails_its_trial_not_the_sweep(slmkit: Slmkit, project: Path) -> None:
    broken = STAGES.replace("loss = (x - 1)", "loss = 1 / 0 if y == 5 else (x - 1)")
    write(project / "mine.py", broken)
    done = slmkit("sweep", "bowl", "y=[5, 2, 3]", "--json")
    [failed] = [row for row in done.json["trials"] if row["ended"] == "failed"]
    assert (failed["y"], failed["why"]) == (5, "ZeroDivisionError: division by zero")
    assert done.json["best"]["values"] == {"y": 2}
