"""Every lesson holds on the embedded models as it is written, and fails when its idea is broken."""

from collections.abc import Callable

import pytest
from project_files import Finished

from slmkit.recipe.curriculum import read_curriculum

TRAINING = ("loop", "retrieval")  # tracks whose lessons stand on models that their recipes train first: minutes
LESSONS = [
    pytest.param(name, marks=pytest.mark.slow if name.startswith(TRAINING) else ())
    for name in read_curriculum().written_lessons
]


@pytest.mark.parametrize("name", LESSONS)
def test_the_claim_holds_and_breaking_the_idea_turns_it_red(name: str, slmkit: Callable[..., Finished]) -> None:
    held = slmkit("run", name, "--profile", "tiny", "--json")
    assert (held.code, [row for row in held.json["expect"] if not row["ok"]]) == (0, [])
    assert held.json["expect"]
    broken = slmkit("run", name, "--profile", "tiny", "--break")
    assert broken.code == 0, broken.out + broken.err
    assert "red, as it should be" in broken.out + broken.err
