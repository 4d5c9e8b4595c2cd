"""benchmarks/calibrate.py sets a lesson's scores and bounds and leaves every other line of the recipe unchanged."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from project_files import REPOSITORY, write

from slmkit.recipe.yaml_lines import read_yaml

RECIPE = """\
title: Rows   # a comment that stays
lesson:
  idea: One.
  explore: [a]
stage: world
expect:
  gain: [0.1, 1]
  steps: [null, 90]
  same: [1, 1]      # exact
"""


@pytest.fixture(scope="module")
def calibrate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("calibrate", REPOSITORY / "benchmarks/calibrate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("scores", "low", "high", "expected"),
    [
        ([0.5, 0.47, 0.52, 0.6, 0.5], 0.1, 1, (0.44, 1)),  # the worst minus three points
        ([0.02, 0.01, 0.0, 0.01, 0.03], 0, 0.2, (0, 0.06)),
        ([80, 70, 75, 71, 72], None, 90, (None, 88)),  # a tenth above the worst
        ([0.3] * 5, 0.1, 1, (0.1, 1)),  # does not depend on the seed
    ],
)
def test_a_bound_is_the_worst_of_five_scores_with_a_margin(calibrate, scores, low, high, expected) -> None:
    assert calibrate.bounds(scores, low, high) == pytest.approx(expected)


def test_only_scores_and_bounds_change(calibrate: ModuleType, project: Path) -> None:
    path = write(project / "recipes/r.yaml", RECIPE)
    scores = {"gain": [0.5, 0.47, 0.52, 0.6, 0.5], "steps": [80.0, 70, 75, 71, 72], "same": [1.0] * 5}
    for _ in range(2):  # twice: earlier scores are replaced
        calibrate.write(path, scores, only=None, dry_run=False)
    found = read_yaml(path).value
    assert found["lesson"]["scores"] == {"gain": scores["gain"], "steps": scores["steps"]}
    assert found["expect"] == {"gain": [0.44, 1], "steps": [None, 88], "same": [1, 1]}
    text = path.read_text()
    assert [line for line in RECIPE.splitlines() if line not in text] == ["  gain: [0.1, 1]", "  steps: [null, 90]"]
    assert text.count("scores:") == 1


def test_a_dry_run_writes_nothing(calibrate: ModuleType, project: Path) -> None:
    path = write(project / "recipes/r.yaml", RECIPE)
    calibrate.write(
        path, {"gain": [0.5, 0.4, 0.5, 0.6, 0.5], "steps": [1.0] * 5, "same": [1.0] * 5}, only=None, dry_run=True
    )
    assert path.read_text() == RECIPE
