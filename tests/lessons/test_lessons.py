"""Every lesson holds on the bundled models as it is written, and fails when its idea is broken."""

from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import Finished

from slmkit.recipe.curriculum import read_curriculum
from slmkit.recipe.load_recipe import load_recipe

TRAINING = ("loop", "retrieval")  # these tracks take minutes, most of them to train the models that they compare
LESSONS = [
    pytest.param(name, marks=pytest.mark.slow if name.startswith(TRAINING) else ())
    for name in read_curriculum().written_lessons
]


@pytest.fixture(scope="session")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project folder for all lessons: what several of them read is made once, e.g. the model of loop/train."""
    return tmp_path_factory.mktemp("lessons")


@pytest.mark.parametrize("name", LESSONS)
def test_the_claim_holds_as_written_and_fails_when_the_idea_is_broken(
    name: str, shared_project: Path, slmkit: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shared_project)
    written = slmkit("run", name, "--profile", "tiny", "--json")
    assert (written.code, [row for row in written.json["expect"] if not row["ok"]]) == (0, [])
    assert written.json["expect"]
    broken = slmkit("run", name, "--profile", "tiny", "--break", "--json")
    assert broken.code == 0, broken.out + broken.err
    assert broken.json["ran"] == [name]  # its inputs are those of the lesson as written
    holds = {row["metric"]: row["ok"] for row in broken.json["expect"]}
    assert not any(holds[metric] for metric in load_recipe(name, profile="tiny").get("breaks")["red"])
