"""--json: one JSON value on standard output, whatever else is printed or fails."""

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
    """Runs the command in its own process, to test its file descriptors."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "slmkit", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Finished(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("words", [["run", "noisy"], ["run", "noisy", "--verbose"], ["check", "noisy"]])
def test_everything_else_goes_to_standard_error(noisy: Path, words: list[str]) -> None:
    done = slmkit(*words, "--json")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    assert "loaded" in done.err
    assert "by" not in done.json
    if words[0] == "run":
        assert "from a subprocess" in done.err
        assert json.loads(done.out, parse_constant=pytest.fail)["metrics"] == {"nothing": None, "half": 0.5}


def test_an_exception_in_a_stage_is_json_with_its_traceback_on_standard_error(noisy: Path) -> None:
    done = slmkit("run", "noisy", "fails=true", "--json")
    assert done.code == 1
    assert done.json["error"]["what"] == "KeyError: 'of the stage'"
    assert done.json["exit_code"] == 1
    assert "Traceback" in done.err


def test_help_ignores_json(noisy: Path) -> None:
    assert "--dry-run" in slmkit("run", "--help", "--json").out
