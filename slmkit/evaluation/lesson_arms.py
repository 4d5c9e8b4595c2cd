"""Several systems on the same gold questions, for lessons: answers, scores and table rows.

There are no costs and no verdict, as in the compare stage: a lesson makes its own claim from the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import Recorder, ask_with_progress
from slmkit.evaluation.score import answer_row, default_metric, score_answers
from slmkit.gold.gold_set import Gold
from slmkit.models.load import release_shared_model
from slmkit.statistics.intervals import mean_score
from slmkit.statistics.paired_tests import paired_difference
from slmkit.types import Answer, Example, Score, System, Task


@dataclass(frozen=True)
class LessonArm:
    """One system's answers to the examples, and the score of each answer."""

    examples: Sequence[Example]
    answers: list[Answer]
    scores: list[float]

    @property
    def score(self) -> Score:
        return mean_score(self.scores)

    @property
    def prompt_tokens(self) -> float:
        """The mean per answer."""
        return sum(answer.prompt_tokens for answer in self.answers) / len(self.answers)

    def rows(self, system: str) -> list[dict[str, Any]]:
        """Its rows of the answers table."""
        pairs = zip(self.examples, self.answers, self.scores, strict=True)
        return [answer_row(system, *row) for row in pairs]


def ask_arms(
    run: Recorder,
    gold: Gold,
    systems: Mapping[str, Callable[[Task], System]],
    *,
    questions: Sequence[Example] | None = None,
    limit: int | None = None,
) -> dict[str, LessonArm]:
    """Asks every system the first `limit` questions of a gold set. Name systems on one model next to each other.

    questions: asked in place of the gold set's examples, such as its dev questions. Answers are stored as they arrive,
    so a killed run resumes where it stopped.
    """
    examples = (gold.examples if questions is None else questions)[:limit]
    scorer = default_metric(gold)
    file = AnswerFile(run.path("answered.jsonl"))
    arms = {}
    for name, system in systems.items():
        asked_as = f"{gold.task.name}: {name}"
        answers = ask_with_progress(run, name, system, gold.task, examples, file=file, asked_as=asked_as)
        scores = score_answers(scorer, examples, answers)
        arms[name] = LessonArm(examples, answers, scores)
    release_shared_model()
    return arms


def arm_rows(arms: Mapping[str, LessonArm], *, reference: str | None = None) -> list[dict[str, Any]]:
    """Rows of the arms table: each score with its 95% interval, and the difference from the reference."""
    rows: list[dict[str, Any]] = []
    for name, arm in arms.items():
        score = arm.score
        row: dict[str, Any] = {"system": name, "score": score.value}
        row |= {"low": score.low, "high": score.high, "n": score.n}
        if reference is not None and name != reference:
            difference = paired_difference(arm.scores, arms[reference].scores)
            row |= {
                "difference": difference.value,
                "difference_low": difference.low,
                "difference_high": difference.high,
                "p_value": difference.p_value,
            }
        rows.append(row | {"reference": reference or ""})
    return rows
