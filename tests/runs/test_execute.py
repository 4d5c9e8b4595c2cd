import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

from slmkit.runs.store import find_run

Slmkit = Callable[..., Finished]
RAW_HASH = hashlib.sha256(b"abc\n").hexdigest()

STAGES = """
import time
from pathlib import Path
from slmkit.errors import SlmkitError
from slmkit.types import Input, Score

def rows(run, *, data: Input, times: int = 1):
    '''Copies a file.'''
    run.path("rows.txt").write_text(data.read_text() * times)
    run.metric(rows=times)

def score(run, *, data: Input, value: float = 0.5, positive: bool = True, boom: bool = False):
    '''Measures something.'''
    text = (data / "rows.txt").read_text()
    run.log(1, loss=0.5)
    if boom:
        raise ZeroDivisionError("ours")
    run.metric(score=Score(value, value - 0.1, value + 0.1, len(text)))
    run.verdict("all is said", positive=positive)

def slow(run, *, steps: int = 40):
    '''Counts slowly, and goes on from its checkpoint.'''
    start = int(run.checkpoint.name.split("-")[1]) if run.checkpoint else 0
    for step in range(start + 1, steps + 1):
        time.sleep(0.05)
        run.log(step, loss=1 / step)
        run.path(f"checkpoints/checkpoint-{step}").mkdir(exist_ok=True)
    run.metric(started_at=start)
"""


@pytest.fixture(autouse=True)
def _recipes(project: Path) -> None:
    write(project / "mine.py", STAGES)
    write(project / "raw.txt", "abc\n")
    write(project / "recipes/rows.yaml", "title: Rows\nstage: ./mine.py:rows\nwith: {data: raw.txt}\n")
    score = "title: Score\nstage: ./mine.py:score\nwith: {data: rows}\nexpect: {score: [0.4, null]}\n"
    write(project / "recipes/score.yaml", score + "breaks: {with: {value: 0.1}, red: [score]}\n")
    write(project / "recipes/slow.yaml", "title: Slow\nstage: ./mine.py:slow\n")


def test_a_run_is_executed_once_and_reused_afterwards(slmkit: Slmkit) -> None:
    first, second = slmkit("run", "score", "--json"), slmkit("run", "score", "--json")
    assert first.json["ran"] == ["rows", "score"]
    assert second.json["ran"] == []
    assert first.json["metrics"] == second.json["metrics"]
    assert first.json["metrics"]["score"] == {"value": 0.5, "low": 0.4, "high": 0.6, "n": 4}


def test_inputs_are_run_only_if_the_target_needs_them(slmkit: Slmkit, project: Path) -> None:
    folder = Path(slmkit("run", "score", "--json").json["dir"])
    for made in (project / "runs/rows").iterdir():
        (made / "result.json").unlink()
    assert slmkit("run", "score", "--json").json["ran"] == []  # the target is done, so its inputs are not needed
    (folder / "result.json").unlink()
    assert slmkit("run", "score", "--json").json["ran"] == ["rows", "score"]


def test_force_runs_the_target_again_but_not_its_inputs(slmkit: Slmkit) -> None:
    slmkit("run", "score")
    assert slmkit("run", "score", "--force", "--json").json["ran"] == ["score"]


def test_dry_run_runs_nothing(slmkit: Slmkit, project: Path) -> None:
    shown = slmkit("run", "score", "--dry-run")
    assert shown.code == 0
    assert shown.out.split()[:2] == ["run", "rows"]
    assert not (project / "runs").exists()


def test_a_failed_claim_exits_with_2_and_one_that_holds_with_0(slmkit: Slmkit, project: Path) -> None:
    assert slmkit("run", "score").code == 0
    text = (project / "recipes/score.yaml").read_text().replace("[0.4, null]", "[0.9, null]")
    write(project / "recipes/score.yaml", text)
    broken = slmkit("run", "score", "--json")
    assert broken.code == 2
    assert broken.json["ran"] == []  # a bound is not part of the key
    assert broken.json["expect"][0]["ok"] is False


def test_a_failed_claim_of_an_input_is_printed_without_changing_the_exit_code(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/rows.yaml", "stage: ./mine.py:rows\nwith: {data: raw.txt}\nexpect: {rows: [5, null]}\n")
    for ran in (["rows", "score"], []):
        done = slmkit("run", "score")
        assert done.code == 0
        assert re.search(r"✗ rows: rows .*\b1\b.*at least 5", done.err)
        assert done.err.count("▸") == len(ran)
    assert "✗" not in slmkit("run", "score", "times=1").err  # overrides lift claims
    assert "✗" not in slmkit("run", "rows").err  # those of the target are in its summary


def test_values_from_the_command_line_lift_the_claim(slmkit: Slmkit) -> None:
    lifted = slmkit("run", "score", "value=0.1", "--json")
    assert lifted.code == 0
    assert lifted.json["expect"] == []


def test_a_negative_verdict_exits_with_2(slmkit: Slmkit) -> None:
    assert slmkit("run", "score", "positive=false").code == 2


def test_break_succeeds_only_if_the_named_claim_fails(slmkit: Slmkit, project: Path) -> None:
    assert slmkit("run", "score", "--break").code == 0
    text = (project / "recipes/score.yaml").read_text().replace("value: 0.1", "value: 0.8")
    write(project / "recipes/score.yaml", text)
    assert slmkit("run", "score", "--break").code == 2


def test_a_claim_about_an_unknown_metric_is_a_mistake(slmkit: Slmkit, project: Path) -> None:
    text = (project / "recipes/score.yaml").read_text().replace("{score: [0.4", "{scor: [0.4")
    text = text.replace("red: [score]", "red: [scor]")
    write(project / "recipes/score.yaml", text)
    found = slmkit("run", "score")
    assert found.code == 3
    assert "'scor'" in found.err and "'score'" in found.err
    write(project / "recipes/score.yaml", text.replace("scor:", "score:").replace("[scor]", "[score]"))
    assert slmkit("run", "score", "--json").json["ran"] == []  # the measurement is kept


def test_a_claim_of_an_input_about_an_unknown_metric_is_a_mistake_every_time(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/rows.yaml", "stage: ./mine.py:rows\nwith: {data: raw.txt}\nexpect: {row: [1, null]}\n")
    for _ in range(2):
        found = slmkit("run", "score")
        assert found.code == 3
        assert "'row'" in found.err and "'rows'" in found.err
    assert len(list((project / "runs/rows").glob("*/result.json"))) == 1


def test_bugs_keep_their_traceback(slmkit: Slmkit, project: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        slmkit("run", "score", "boom=true")
    errors = list((project / "runs/score").glob("*/error.txt"))
    assert len(errors) == 1
    assert "ZeroDivisionError: ours" in errors[0].read_text()
    assert not list((project / "runs/score").glob("*/result.json"))


def test_the_records_contain_values_origins_inputs_and_environment(slmkit: Slmkit) -> None:
    folder = Path(slmkit("run", "score", "--json").json["dir"])
    recipe = json.loads((folder / "recipe.json").read_text())
    result = json.loads((folder / "result.json").read_text())
    assert recipe["with"]["data"] == "rows"
    assert recipe["origins"]["value"] == "default"
    assert recipe["inputs"][0]["kind"] == "recipe"
    assert result["environment"]["python"]
    assert (folder / "report.html").is_file()


def test_show_follows_a_run_to_the_hash_of_its_raw_file(slmkit: Slmkit) -> None:
    folder = slmkit("run", "score", "--json").json["dir"]
    tree = slmkit("show", folder, "--json").json
    raw = tree["inputs"][0]["run"]["inputs"][0]
    assert raw["sha256"] == RAW_HASH
    assert raw["unchanged"] is True
    assert raw["sha256"] in slmkit("show", folder).out


def test_why_lists_the_inputs_behind_a_number(slmkit: Slmkit) -> None:
    folder = slmkit("run", "score", "--json").json["dir"]
    why = slmkit("why", folder, "score", "--json").json
    assert why["value"] == {"score": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 4}}
    assert why["read"] == {"raw.txt": f"sha256 {RAW_HASH}"}
    assert why["command"] == "slmkit run score --json"
    assert RAW_HASH in slmkit("why", folder).out
    assert "'score'" in slmkit("why", folder, "scor").err


def test_why_shows_the_provenance_of_the_requested_system(slmkit: Slmkit) -> None:
    folder = Path(slmkit("run", "score", "--json").json["dir"])
    rows = [{"system": name, "weights": f"hash of {name}", "decoding": "greedy"} for name in ("score", "other")]
    (folder / "provenance.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answered = slmkit("why", str(folder), "score", "--json").json["answered"]
    assert answered == {"score": {"weights": "hash of score", "decoding": "greedy"}}
    assert set(slmkit("why", str(folder), "--json").json["answered"]) == {"score", "other"}
    assert "hash of score" in slmkit("why", str(folder), "score").out


def test_a_done_run_with_a_missing_or_changed_file_runs_again(slmkit: Slmkit, project: Path) -> None:
    slmkit("run", "score")
    made = next((project / "runs/rows").iterdir())
    for damaged in ("rows.txt", "result.json"):
        (made / damaged).write_text("{")
        assert "resume" in slmkit("run", "rows", "--dry-run").out
        assert slmkit("run", "rows", "--json").json["ran"] == ["rows"]
        assert (made / "rows.txt").read_text() == "abc\n"


def test_a_file_added_to_a_done_run_is_ignored(slmkit: Slmkit) -> None:
    made = Path(slmkit("run", "rows", "--json").json["dir"])
    write(made / "model/served.txt", "by another command")
    assert slmkit("run", "rows", "--json").json["ran"] == []


def test_a_done_run_that_fails_when_repeated_is_no_longer_done(slmkit: Slmkit, project: Path) -> None:
    stop = project / "stop"
    stage = "import sys\nfrom pathlib import Path\n\ndef own(run):\n"
    stage += "    is_cut = Path('stop').exists()\n"
    stage += "    run.path('made.txt').write_text('half' if is_cut else 'full')\n"
    stage += "    sys.exit('stopped') if is_cut else None\n"
    write(project / "own.py", stage)
    write(project / "recipes/own.yaml", "stage: ./own.py:own\n")
    made = Path(slmkit("run", "own", "--json").json["dir"]) / "made.txt"
    made.unlink()
    stop.touch()
    assert slmkit("run", "own").code == 1
    stop.unlink()
    assert slmkit("run", "own", "--json").json["ran"] == ["own"]
    assert made.read_text() == "full"


def test_preflight_does_not_read_an_unfinished_input(slmkit: Slmkit, project: Path) -> None:
    check = "\ndef check(*, data, **_):\n    assert not data.is_dir() or (data / 'rows.txt').read_text()\n"
    write(project / "mine.py", STAGES + check)
    slmkit("run", "score")
    for folder in (project / "runs").glob("*/*"):
        (folder / "result.json").unlink()
        (folder / "rows.txt").unlink(missing_ok=True)
    assert slmkit("run", "score", "--json").json["ran"] == ["rows", "score"]


def test_a_user_file_that_exits_on_import_is_a_mistake(slmkit: Slmkit, project: Path) -> None:
    write(project / "bad.py", "raise SystemExit(0)\n")
    write(project / "recipes/bad.yaml", "stage: ./bad.py:f\n")
    assert slmkit("run", "bad").code == 3


def test_a_recipe_name_means_its_newest_done_run_without_break(slmkit: Slmkit) -> None:
    plain = Path(slmkit("run", "score", "--json").json["dir"])
    broken = Path(slmkit("run", "score", "--break", "--json").json["dir"])
    with pytest.raises(ZeroDivisionError):
        slmkit("run", "score", "boom=true")
    assert find_run("score") == plain
    assert find_run(str(broken)) == find_run(broken.name) == broken
    newer = Path(slmkit("run", "score", "value=0.7", "--json").json["dir"])
    assert find_run("score") == newer
    assert slmkit("why", "score", "score", "--json").json["value"]["score"]["value"] == 0.7


@pytest.mark.parametrize("text", ['{"name": "score", ', "", "[]", b"\xff"])
def test_a_run_whose_record_is_damaged_is_unfinished(slmkit: Slmkit, text: str | bytes) -> None:
    made = Path(slmkit("run", "score", "--json").json["dir"])
    record = made / "recipe.json"
    record.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert slmkit("why", "score").code == 3
    assert slmkit("show", str(made)).code == 3
    assert slmkit("clean", "--dry-run", "--json").json["removed"] == [str(made)]
    assert slmkit("run", "score", "--json").json["ran"] == ["score"]
    assert json.loads(record.read_text())["name"] == "score"


def test_lineage_includes_the_source_of_a_gold_set(slmkit: Slmkit, project: Path) -> None:
    write(project / "gold/mine/card.yaml", "name: mine\nsource: ../raw.txt\nsource_sha256: abc\n")
    write(project / "looks.py", "from slmkit.types import Input\n\ndef looks(run, *, gold: Input): ...\n")
    write(project / "recipes/looks.yaml", "stage: ./looks.py:looks\nwith: {gold: gold/mine}\n")
    made = slmkit("run", "looks", "--json").json["dir"]
    [row] = slmkit("show", made, "--json").json["inputs"]
    assert row["frozen_from"] == {"source": "../raw.txt", "sha256": "abc"}
    assert re.search(r"\.\./raw\.txt .*abc", slmkit("show", made).out)


def test_lineage_includes_a_run_with_a_damaged_record(slmkit: Slmkit, project: Path) -> None:
    made = slmkit("run", "score", "--json").json["dir"]
    write(next((project / "runs/rows").iterdir()) / "recipe.json", "{")
    [row] = slmkit("show", made, "--json").json["inputs"]
    assert (row["name"], row["unchanged"]) == ("rows", None)


def test_clean_keeps_the_inputs_of_a_kept_run(slmkit: Slmkit, project: Path) -> None:
    kept = slmkit("run", "score", "--json").json["dir"]
    write(project / "raw.txt", "other\n")
    slmkit("run", "rows")  # newer, but the kept run of score used the older rows
    slmkit("clean")
    tree = slmkit("show", kept, "--json").json
    assert tree["inputs"][0]["run"]["done"] is True


def test_clean_keeps_only_the_newest_done_run_and_removes_the_answer_cache(slmkit: Slmkit) -> None:
    slmkit("run", "score")
    kept = Path(slmkit("run", "score", "value=0.6", "--json").json["dir"])
    write(Path("runs/.answers/some.json"), "{}")
    slmkit("clean", "--dry-run")
    assert Path("runs/.answers/some.json").exists()
    slmkit("clean")
    assert [p.parent for p in Path("runs/score").glob("*/result.json")] == [kept]
    assert not Path("runs/.answers").exists()


def command(project: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    run = [sys.executable, "-m", "slmkit", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(  # a test run in the background ignores Ctrl-C, and its children would too
        run,
        cwd=project,
        env=environment,
        text=True,
        stdout=pipe,
        stderr=pipe,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )


def until(found: Callable[[], bool]) -> None:
    for _ in range(400):
        if found():
            return
        time.sleep(0.05)
    raise AssertionError("the condition was not met within 20 s")


@pytest.mark.parametrize("signal_sent", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_resumes_in_its_folder(project: Path, slmkit: Slmkit, signal_sent: signal.Signals) -> None:
    process = command(project, "run", "slow")
    until(lambda: len(list(project.glob("runs/slow/*/checkpoints/checkpoint-*"))) >= 3)
    process.send_signal(signal_sent)
    _, stderr = process.communicate()
    if signal_sent is signal.SIGINT:
        assert process.returncode == 1
        assert "Ctrl-C" in stderr and "Traceback" not in stderr
    assert not list(project.glob("runs/slow/*/result.json"))
    [sessions] = project.glob("runs/slow/*/.sessions.json")
    noted = json.loads(sessions.read_text())
    sessions.write_text(json.dumps({**noted, "started": noted["started"] - 100}))  # 100 s longer
    finished = slmkit("run", "slow", "--json")
    assert finished.json["metrics"]["started_at"] >= 3
    assert 100 < json.loads(sessions.with_name("result.json").read_text())["seconds"] < 200


def test_a_second_writer_is_refused_at_once(project: Path, slmkit: Slmkit) -> None:
    process = command(project, "run", "slow", "steps=200")
    until(lambda: bool(list(project.glob("runs/slow/*/checkpoints/checkpoint-1"))))
    second = slmkit("run", "slow", "steps=200")
    process.kill()
    process.communicate()
    assert second.code == 4
    assert "runs/slow/" in second.err


def test_a_step_finished_by_another_process_meanwhile_is_reused(slmkit: Slmkit, project: Path) -> None:
    other = "    execute(make_plan('shared', profile='tiny'))\n"
    stages = f"""
from slmkit.runs.plan import make_plan
from slmkit.runs.execute import execute
from slmkit.types import Input

def shared(run):
    with open("made.txt", "a") as file:
        file.write("once ")

def first(run):
{other}
def both(run, *, first: Input, shared: Input): ...
"""
    write(project / "own.py", stages)
    write(project / "recipes/shared.yaml", "stage: ./own.py:shared\n")
    write(project / "recipes/first.yaml", "stage: ./own.py:first\n")
    write(project / "recipes/both.yaml", "stage: ./own.py:both\nwith: {first: first, shared: shared}\n")
    assert slmkit("run", "both", "--json").json["ran"] == ["first", "both"]
    assert (project / "made.txt").read_text() == "once "


def test_force_does_not_touch_a_run_that_is_being_written(slmkit: Slmkit) -> None:
    from filelock import FileLock

    made = Path(slmkit("run", "rows", "--json").json["dir"])
    with FileLock(made / ".lock"):
        assert slmkit("run", "rows", "--force").code == 4
    assert (made / "rows.txt").is_file()
    write(made / ".old", "of the run before")
    assert slmkit("run", "rows", "--force", "--json").json["ran"] == ["rows"]
    assert not (made / ".old").exists()


@pytest.mark.long
def test_every_shipped_recipe_passes_its_preflight_checks(slmkit):
    """`check` only binds a recipe; a dry run also calls the `check` function of its stage."""
    names = sorted(str(path.relative_to(REPOSITORY / "recipes"))[:-5] for path in REPOSITORY.glob("recipes/*/*.yaml"))
    assert "maintain/tiny-base" in names
    refused = {}
    for name in set(names) - {"data/hub"}:  # needs the network
        done = slmkit("run", name, "--dry-run")
        if done.code != 0:
            refused[name] = done.err
    assert not refused


def test_a_stage_that_exits_has_failed(slmkit, project):
    write(project / "own.py", "import sys\n\n\ndef own(run, *, x: int = 1):\n    sys.exit('no licence')\n")
    write(project / "recipes/own.yaml", "stage: ./own.py:own\n")
    done = slmkit("run", "own")
    assert done.code == 1
    assert "no licence" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "printed"), [(["ls", "gold"], 0, "tickets"), (["show", "nowhere"], 3, "nowhere")]
)
def test_a_fast_exit_keeps_output_and_exit_code(arguments, code, printed):
    done = subprocess.run(
        [sys.executable, "-m", "slmkit", *arguments], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert done.returncode == code
    assert printed in done.stdout + done.stderr


def test_break_with_overrides_is_refused_before_anything_runs(slmkit: Slmkit, project: Path) -> None:
    refused = slmkit("run", "score", "--break", "value=0.1")
    assert refused.code == 3
    assert "--break" in refused.err and "value=0.1" in refused.err
    assert not (project / "runs").exists()


def test_a_return_value_is_noted_and_a_metric_that_is_not_a_number_is_a_mistake(slmkit: Slmkit, project: Path) -> None:
    code = "def gives(run, *, n: int = 1):\n    '''G.'''\n    run.metric(n=n)\n    return {'accuracy': 0.9}\n"
    write(project / "own.py", code + "def word(run, *, n: int = 1):\n    '''W.'''\n    run.metric(n='abc')\n")
    write(project / "recipes/gives.yaml", "title: G\nstage: ./own.py:gives\n")
    write(project / "recipes/word.yaml", "title: W\nstage: ./own.py:word\n")
    done = slmkit("run", "gives")
    assert done.code == 0 and "run.metric(name=value)" in done.err
    wrong = slmkit("run", "word")
    assert wrong.code == 3 and "metric n is 'abc'" in wrong.err


def test_a_stage_with_variadic_keys_is_refused(slmkit: Slmkit, project: Path) -> None:
    write(project / "own.py", "def many(run, **keys: int):\n    '''M.'''\n")
    write(project / "recipes/many.yaml", "title: M\nstage: ./own.py:many\n")
    done = slmkit("check", "many")
    assert done.code == 3 and "**keys: int" in done.out
