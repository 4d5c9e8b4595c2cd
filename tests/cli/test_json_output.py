"""--json: one JSON value on standard output, whoever else writes, and whatever happens."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

NOISY = """
import json
import os
import subprocess

print("loaded", flush=True)
print(json.dumps({"by": "a stage"}))


def stage(run, *, fails: bool = False) -> None:
    subprocess.run(["echo", "from a subprocess"], check=True)
    os.write(1, b"from a file descriptor")
    print("from the stage")
    run.metric(nothing=float("nan"), half=0.5)
    if fails:
        raise KeyError("of the stage")
"""


@pytest.fixture
def noisy(project: Path) -> Path:
    write(project / "noisy.py", NOISY)
    write(project / "recipes/noisy.yaml", "stage: ./noisy.py:stage\n")
    return project


def slmkit(*words: str) -> Finished:
    """In a process of its own: what is promised holds for its file descriptors."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "slmkit", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Finished(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("words", [["run", "noisy"], ["run", "noisy", "--verbose"], ["check", "noisy"]])
def test_all_else_that_writes_is_heard_on_standard_error(noisy: Path, words: list[str]) -> None:
    told = slmkit(*words, "--json")
    assert told.code == 0, told.err
    assert len(told.out.splitlines()) == 1
    assert "loaded" in told.err
    assert "by" not in told.json
    if words[0] == "run":
        assert "from a subprocess" in told.err
        assert json.loads(told.out, parse_constant=pytest.fail)["metrics"] == {"nothing": None, "half": 0.5}


def test_an_error_of_a_stage_is_json_too_and_keeps_its_traceback(noisy: Path) -> None:
    told = slmkit("run", "noisy", "fails=true", "--json")
    assert told.code == 1
    assert told.json["error"]["what"] == "KeyError: 'of the stage'"
    assert told.json["exit_code"] == 1
    assert "Traceback" in told.err


def test_help_is_for_people(noisy: Path) -> None:
    assert "--dry-run" in slmkit("run", "--help", "--json").out
