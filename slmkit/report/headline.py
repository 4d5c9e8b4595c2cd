"""The headline of a run: its verdict, or whether its claim holds, or its title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slmkit.report.read_run import RunFiles


@dataclass(frozen=True)
class Headline:
    """One sentence and its tone; "plain" makes no judgement."""

    text: str
    tone: Literal["good", "bad", "plain"]


def headline(run: RunFiles) -> Headline:
    """The headline of a finished, failed or unfinished run."""
    recipe, result = run.recipe, run.result
    if run.status == "failed":
        return Headline("This run failed.", "bad")
    if run.status == "unfinished":
        return Headline("This run is not finished. Run the same command again to resume it.", "plain")
    if result.verdict:
        return Headline(result.verdict.text, "good" if result.verdict.positive else "bad")
    if result.expect and not result.expect_lifted:
        claim = recipe.teaches or recipe.title or recipe.name
        if all(expectation.ok for expectation in result.expect):
            return Headline(f"The claim holds. {claim}", "good")
        return Headline(f"The claim does not hold in this run. {claim}", "bad")
    return Headline(recipe.title or recipe.name, "plain")
