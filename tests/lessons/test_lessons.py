"""Every lesson of these tracks holds on the embedded model as it is written, and fails when its idea is broken."""

from collections.abc import Callable

import pytest
from project_files import REPOSITORY, Finished

TRACKS = ("foundations", "text", "transformer")
LESSONS = sorted(
    path.relative_to(REPOSITORY / "recipes").with_suffix("").as_posix()
    for track in TRACKS
    for path in (REPOSITORY / "recipes" / track).glob("*.yaml")
)


@pytest.mark.parametrize("name", LESSONS)
def test_the_claim_holds_and_breaking_the_idea_turns_it_red(name: str, slmkit: Callable[..., Finished]) -> None:
    held = slmkit("run", name, "--profile", "tiny", "--json")
    assert (held.code, [row for row in held.json["expect"] if not row["ok"]]) == (0, [])
    assert held.json["expect"]
    broken = slmkit("run", name, "--profile", "tiny", "--break")
    assert broken.code == 0, broken.out + broken.err
    assert "red, as it should be" in broken.out + broken.err
