"""The card stage: the acceptance test of a bundled model, one score with an interval per ability."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from slmkit.gold.gold_set import Gold, read_gold
from slmkit.metrics.line_fields import field as field_match
from slmkit.metrics.match import exact_match
from slmkit.micro_world.gold_sets import draw
from slmkit.models.load import release_shared_model
from slmkit.runs.run_folder import Run
from slmkit.statistics.intervals import mean_score
from slmkit.types import Answer, Example, Input, Model, ModelRef, Score, System

if TYPE_CHECKING:
    from collections.abc import Mapping

NUM_SHOTS = 4


@dataclass(frozen=True)
class Line:
    """One line of the card: a gold set or some of its slices, how it is asked, and how it is scored."""

    name: str
    family: str
    where: Mapping[str, str] = field(default_factory=dict)
    how: Literal["prompt", "few-shot", "rag", "base"] = "prompt"
    by: Literal["answer", "code"] = "answer"


LINES = (
    Line("reading_new_names", "reading", {"wording": "trained"}),
    Line("reading_new_wordings", "reading", {"wording": "new"}),
    Line("rag_new_names", "rag", {"wording": "trained"}),
    Line("rag_new_wordings", "rag", {"wording": "new"}),
    Line("skills", "skills"),
    Line("arithmetic", "arithmetic"),
    Line("canon", "canon"),
    Line("abstain", "unanswerable"),
    Line("over_canon", "over_canon"),
    Line("say", "say"),
    Line("chains_with_steps", "chains", {"mode": "think"}),
    Line("chains_direct", "chains", {"mode": "direct"}),
    Line("tools", "tools"),
    Line("pattern_zero_shot", "pattern"),
    Line("pattern_few_shot", "pattern", how="few-shot"),
    Line("fresh_with_rag", "fresh", how="rag"),
    Line("fresh_closed_book", "fresh"),
    Line("tickets_zero_shot", "tickets", by="code"),
    Line("tickets_few_shot", "tickets", how="few-shot", by="code"),
    Line("base_in_chat_format", "reading", how="base"),
)


def card(run: Run, *, model: Model, base: Model, gold: Input) -> None:
    """Tests a model on everything it was taught, and on what it must not know: one metric with an interval per line.

    gold: the folder with the gold sets of the micro-world.
    """
    rows: list[dict[str, object]] = []
    num_answers = 0
    with run.progress("ask", len(LINES), unit="lines") as bar:
        for line in LINES:
            frozen = read_gold(gold / line.family)
            examples = [e for e in frozen.examples if all(e.slice.get(k) == v for k, v in line.where.items())]
            started = time.monotonic()
            answers = _system(run, line, frozen, base if line.how == "base" else model).answer(examples)
            seconds = time.monotonic() - started
            score = mean_score([_score(line, *pair) for pair in zip(examples, answers, strict=True)])
            run.metric(**{line.name: score})
            num_answers += len(answers)
            rows.append(_row(line, score, examples, answers, seconds))
            bar.advance(1)
    release_shared_model()
    run.table("card", rows)
    for row in rows:
        run.note(f"{row['line']:22} {row['score']:.3f} [{row['low']:.3f}, {row['high']:.3f}] n={row['n']}")
    value = {str(row["line"]): float(str(row["score"])) for row in rows}
    run.metric(
        chains_gained_by_steps=value["chains_with_steps"] - value["chains_direct"],
        pattern_gained_by_shots=value["pattern_few_shot"] - value["pattern_zero_shot"],
        disagreed=float(_disagreed(gold)),
    )
    run.verdict(f"{model.name} gave {num_answers:,} answers on {len(rows)} lines of the card.")


def _system(run: Run, line: Line, frozen: Gold, model: ModelRef) -> System:
    from slmkit.systems import FewShot
    from slmkit.systems.prompt import prompt
    from slmkit.systems.rag import rag

    if line.how == "rag":
        return rag(frozen.task, model=model, documents=frozen.folder)
    if line.how == "few-shot":
        few_shot = FewShot(num_shots=NUM_SHOTS, examples=_shots(run, line.family))
        return prompt(frozen.task, model=model, few_shot=few_shot)
    return prompt(frozen.task, model=model)


def _shots(run: Run, family: str) -> Path:
    """Rows to choose few-shot examples from: 1,000 training rows of the family, in the format of `prepare`."""
    chats = [
        {"id": e.id, "messages": [{"role": "user", "content": e.input}, {"role": "assistant", "content": e.target}]}
        for e in draw(family, "train", 1000).examples
    ]
    return run.table(f"{family}/train", chats).parent


def _score(line: Line, example: Example, answer: Answer) -> float:
    """Whether the answer after </think> is right."""
    final = replace(answer, text=answer.text.rpartition("</think>")[2])
    return field_match(example, final, name="code") if line.by == "code" else exact_match(example, final)


def _row(
    line: Line, score: Score, examples: Sequence[Example], answers: Sequence[Answer], seconds: float
) -> dict[str, object]:
    shown = {"input": examples[0].input, "target": examples[0].target, "answer": answers[0].text}
    bounds = {"line": line.name, "score": score.value, "low": score.low, "high": score.high, "n": score.n}
    return {**bounds, "seconds": round(seconds, 2), **shown}


def _disagreed(gold: Path) -> int:
    """The number of generated examples that were dropped because two solvers disagreed, over all gold sets."""
    families = {line.family for line in LINES}
    return sum(int(read_gold(gold / family).card.get("disagreed", 0)) for family in families)
