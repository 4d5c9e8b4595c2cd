"""LLM as a judge: which of two answers is better, or whether one is right; and its agreement with human labels.

Two answers are shown in both orders, because judges have a position bias (Zheng et al. 2023,
https://arxiv.org/abs/2306.05685): an answer wins if it wins in both orders, otherwise it is a tie. A reply
that is not in the requested form is a failure; it counts in every mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slmkit.types import Answer, Example, Score, Task

FIRST, SECOND, TIE = "1", "2", "tie"
RIGHT, WRONG = "right", "wrong"
FAILED = "failed"
FEWEST_LABELS = 30  # human labels that a judge needs before its ruling can decide an exit code


@dataclass(frozen=True)
class Ruling:
    """The judge's ruling on one example: the better system or "tie"; "right" or "wrong"; or "failed"."""

    example_id: str
    label: str
    is_swayed: bool = False  # the order of the answers decided the ruling


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa between judge and human labels with its 95% interval: 1 is perfect agreement, 0 is chance."""

    kappa: float
    low: float
    high: float
    n: int

    @property
    def score(self) -> Score:
        return Score(self.kappa, self.low, self.high, self.n)


def judge_task(*, pairs: bool, criterion: str) -> Task:
    """The judge's task, with the words it can answer."""
    if pairs:
        ask = f"{criterion} Say which of the two answers is better: 1, 2, or tie."
        return Task("judge", "classification", ask, (FIRST, SECOND, TIE))
    return Task("judge", "classification", f"{criterion} Say whether the answer is right or wrong.", (RIGHT, WRONG))


def pair_questions(row: Mapping[str, str], other: Mapping[str, str], *, reference: bool) -> list[Example]:
    """The two questions about one example: each answer comes first once."""
    return [
        Example(f"{row['example_id']} {order}", _question(row, [a, b], reference=reference), "")
        for order, a, b in (("as is", row["answer"], other["answer"]), ("swapped", other["answer"], row["answer"]))
    ]


def single_question(row: Mapping[str, str], *, reference: bool) -> Example:
    """The question about one answer."""
    return Example(str(row["example_id"]), _question(row, [row["answer"]], reference=reference), "")


def rule_pair(example_id: str, ours: str, other: str, replies: Sequence[Answer]) -> Ruling:
    """The ruling from the replies to both orders: ["1", "2"] -> ours; ["1", "1"] -> a tie (position bias)."""
    words = [_word(answer, (FIRST, SECOND, TIE)) for answer in replies]
    if FAILED in words:
        return Ruling(example_id, FAILED)
    better = [
        {FIRST: ours, SECOND: other}.get(words[0], TIE),
        {FIRST: other, SECOND: ours}.get(words[1], TIE),
    ]
    return Ruling(example_id, better[0] if better[0] == better[1] else TIE, is_swayed=better[0] != better[1])


def rule_single(answer: Answer) -> Ruling:
    """The ruling from the reply about one answer."""
    return Ruling(answer.example_id, _word(answer, (RIGHT, WRONG)))


def points(rulings: Sequence[Ruling], ours: str) -> list[float]:
    """The points per example: 1 for a win or a right answer, 1/2 for a tie, otherwise 0, also if the judge failed."""
    worth = {ours: 1.0, RIGHT: 1.0, TIE: 0.5}
    return [worth.get(ruling.label, 0.0) for ruling in rulings]


def agreement(rulings: Sequence[Ruling], labels: Mapping[str, str]) -> Agreement:
    """Cohen's kappa over the examples with a human label; a failure of the judge agrees with no label.

    If judge and people use a single word in total, kappa is undefined: it is returned as 0 with the interval -1 to 1.
    Source: Cohen 1960, https://doi.org/10.1177/001316446002000104; computed by statsmodels, which has the interval.
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
    kappa = cohens_kappa(table)
    return Agreement(float(kappa.kappa), float(kappa.kappa_low), float(kappa.kappa_upp), len(both))


def _question(row: Mapping[str, str], answers: Sequence[str], *, reference: bool) -> str:
    parts = [f"question: {row['input']}"]
    if reference:
        parts.append(f"right answer: {row['target']}")
    names = ["answer"] if len(answers) == 1 else [f"answer {i + 1}" for i in range(len(answers))]
    return "\n".join([*parts, *(f"{name}: {answer}" for name, answer in zip(names, answers, strict=True))])


def _word(answer: Answer, words: Sequence[str]) -> str:
    """The word the judge replied, or "failed" if the reply is anything else."""
    reply = answer.text.strip().strip(".\"'`*").lower()
    return reply if not answer.error and reply in words else FAILED
