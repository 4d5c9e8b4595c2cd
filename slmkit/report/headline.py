"""The first thing a reader sees of a run: its verdict, else what became of its claim, else its title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slmkit.report.read_run import RunFiles


@dataclass(frozen=True)
class Headline:
    """One sentence and how it is meant: good and bad are findings, plain is no judgement."""

    text: str
    tone: Literal["good", "bad", "plain"]


def headline(run: RunFiles) -> Headline:
    """The run's verdict, its kept or broken claim, or its title; an unfinished run says so instead."""
    recipe, result = run.recipe, run.result
    if run.status == "failed":
        return Headline("This run failed.", "bad")
    if run.status == "unfinished":
        return Headline("This run is not finished. The same command continues it.", "plain")
    if result.verdict:
        return Headline(result.verdict.text, "good" if result.verdict.positive else "bad")
    if result.expect and not result.expect_lifted:
        kept = all(expectation.ok for expectation in result.expect)
        claim = recipe.teaches or recipe.title or recipe.name
        if kept:
            return Headline(f"The claim holds. {claim}", "good")
        return Headline(f"The claim does not hold here. {claim}", "bad")
    return Headline(recipe.title or recipe.name, "plain")
