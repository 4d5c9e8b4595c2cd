"""A system as judge of answers: which of two is better, or whether one is right; and how far it agrees with people.

Two answers are shown in both orders, since judges favour a place (Zheng et al. 2023, https://arxiv.org/abs/2306.05685):
an answer wins where both orders say so, else it is a tie. What the judge does not answer in the form asked for is a
failure, counted as such; it is never left out of a mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slmkit.types import Answer, Example, Score, Task

FIRST, SECOND, TIE = "1", "2", "tie"
RIGHT, WRONG = "right", "wrong"
FAILED = "failed"
FEWEST_LABELS = 30  # by people, before a judge's word may decide anything


@dataclass(frozen=True)
class Ruling:
    """What the judge said of one example: the name of the better system or "tie", "right" or "wrong", or "failed"."""

    example_id: str
    label: str
    is_swayed: bool = False  # the order of the answers decided it


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa between judge and people with its 95 % interval: 1 is always, 0 is as by chance."""

    kappa: float
    low: float
    high: float
    n: int

    @property
    def score(self) -> Score:
        return Score(self.kappa, self.low, self.high, self.n)


def judge_task(*, pairs: bool, criterion: str) -> Task:
    """What the judge is asked to do, with the words it may answer."""
    if pairs:
        ask = f"{criterion} Say which of the two answers is better: 1, 2, or tie."
        return Task("judge", "classification", ask, (FIRST, SECOND, TIE))
    return Task("judge", "classification", f"{criterion} Say whether the answer is right or wrong.", (RIGHT, WRONG))


def pair_questions(row: Mapping[str, str], other: Mapping[str, str], *, reference: bool) -> list[Example]:
    """The two questions to the judge about one example: either answer first."""
    return [
        Example(f"{row['example_id']} {order}", _question(row, [a, b], reference=reference), "")
        for order, a, b in (("as is", row["answer"], other["answer"]), ("swapped", other["answer"], row["answer"]))
    ]


def single_question(row: Mapping[str, str], *, reference: bool) -> Example:
    """The question to the judge about one answer."""
    return Example(str(row["example_id"]), _question(row, [row["answer"]], reference=reference), "")


def rule_pair(example_id: str, ours: str, other: str, said: Sequence[Answer]) -> Ruling:
    """The ruling from what the judge said to both orders: [1, 2] -> ours, [1, 1] -> a tie by its place."""
    words = [_word(answer, (FIRST, SECOND, TIE)) for answer in said]
    if FAILED in words:
        return Ruling(example_id, FAILED)
    better = [
        {FIRST: ours, SECOND: other}.get(words[0], TIE),
        {FIRST: other, SECOND: ours}.get(words[1], TIE),
    ]
    return Ruling(example_id, better[0] if better[0] == better[1] else TIE, is_swayed=better[0] != better[1])


def rule_single(answer: Answer) -> Ruling:
    """The ruling from what the judge said of one answer."""
    return Ruling(answer.example_id, _word(answer, (RIGHT, WRONG)))


def points(rulings: Sequence[Ruling], ours: str) -> list[float]:
    """Of each example: 1 for a win or a right answer, 1/2 for a tie, else 0; a failure of the judge is 0 too."""
    worth = {ours: 1.0, RIGHT: 1.0, TIE: 0.5}
    return [worth.get(ruling.label, 0.0) for ruling in rulings]


def agreement(rulings: Sequence[Ruling], labels: Mapping[str, str]) -> Agreement:
    """Cohen's kappa over the examples that people labelled, by statsmodels; a failure of the judge agrees with nobody.

    Where all say the same word nothing tells chance from agreement: kappa is 0 and its interval -1 to 1.
    Source: Cohen 1960, https://doi.org/10.1177/001316446002000104.
    """
    import numpy as np
    from statsmodels.stats.inter_rater import cohens_kappa

    both = [(ruling.label, labels[ruling.example_id]) for ruling in rulings if ruling.example_id in labels]
    words = sorted({word for pair in both for word in pair})
    if len(words) < 2:
        return Agreement(0.0, -1.0, 1.0, len(both))
    table = np.zeros((len(words), len(words)))
    for pair in both:
        table[words.index(pair[0]), words.index(pair[1])] += 1
    found = cohens_kappa(table)
    return Agreement(float(found.kappa), float(found.kappa_low), float(found.kappa_upp), len(both))


def _question(row: Mapping[str, str], answers: Sequence[str], *, reference: bool) -> str:
    parts = [f"question: {row['input']}"]
    if reference:
        parts.append(f"right answer: {row['target']}")
    names = ["answer"] if len(answers) == 1 else [f"answer {i + 1}" for i in range(len(answers))]
    return "\n".join([*parts, *(f"{name}: {answer}" for name, answer in zip(names, answers, strict=True))])


def _word(answer: Answer, words: Sequence[str]) -> str:
    """The word the judge said, or "failed" where it said none or several of them."""
    said = answer.text.strip().strip(".\"'`*").lower()
    return said if not answer.error and said in words else FAILED
