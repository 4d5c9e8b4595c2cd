"""Every lesson holds on the bundled models as it is written, and fails when its idea is broken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project_files import Finished

from slmkit.recipe.curriculum import read_curriculum
from slmkit.recipe.load_recipe import load_recipe

TRAINING = ("loop", "retrieval")  # these tracks take minutes, most of them to train the models that they compare
SECONDS = ("transformer", "foundations/02-gradient-descent", "text/02-bpe-thirty-lines")  # 3 to 6 s each


def lessons() -> list[Any]:
    """All written lessons, those that take long marked so."""
    marks = {"slow": TRAINING, "long": SECONDS}
    return [
        pytest.param(
            name, marks=[getattr(pytest.mark, mark) for mark, begin in marks.items() if name.startswith(begin)]
        )
        for name in read_curriculum().written_lessons
    ]


@pytest.fixture(scope="session")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project folder for all lessons: what several of them read is made once, e.g. the model of loop/train."""
    return tmp_path_factory.mktemp("lessons")


@pytest.fixture
def run_lesson(
    shared_project: Path, slmkit: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Finished]:
    monkeypatch.chdir(shared_project)
    return lambda name, *words: slmkit("run", name, "--profile", "tiny", *words, "--json")


@pytest.mark.parametrize("name", lessons())
def test_the_claim_holds_as_written(name: str, run_lesson: Callable[..., Finished]) -> None:
    written = run_lesson(name)
    assert (written.code, [row for row in written.json["expect"] if not row["ok"]]) == (0, [])
    assert written.json["expect"]


@pytest.mark.parametrize("name", lessons())
def test_the_claim_fails_when_the_idea_is_broken(name: str, run_lesson: Callable[..., Finished]) -> None:
    if name.startswith(TRAINING):
        run_lesson(name)  # what it reads is there then
    broken = run_lesson(name, "--break")
    assert broken.code == 0, broken.out + broken.err
    assert broken.json["ran"] == [name]  # its inputs are those of the lesson as written
    holds = {row["metric"]: row["ok"] for row in broken.json["expect"]}
    assert not any(holds[metric] for metric in load_recipe(name, profile="tiny").get("breaks")["red"])
