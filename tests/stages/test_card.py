"""The acceptance card: a score with its interval for each line, on the bundled models."""

from __future__ import annotations

import pytest
from project_files import read_jsonl

from slmkit.runs.run_folder import Run
from slmkit.stages import card as stage
from slmkit.stages.card import LINES, card
from slmkit.types import ModelRef, Score
from tests.conftest import REPOSITORY

NANO, BASE = (ModelRef(name, str(REPOSITORY / "slmkit/assets" / name)) for name in ("nano", "nano-base"))


@pytest.fixture
def few_lines(monkeypatch):
    names = {
        "chains_with_steps",
        "chains_direct",
        "pattern_zero_shot",
        "pattern_few_shot",
        "fresh_with_rag",
        "fresh_closed_book",
    }
    monkeypatch.setattr(stage, "LINES", tuple(line for line in LINES if line.name in names))


@pytest.mark.long
def test_the_card_gives_every_line_a_score_of_200_answers(few_lines, tmp_path):
    run = Run(tmp_path)
    card(run, model=NANO, base=BASE, gold=REPOSITORY / "gold")
    rows = read_jsonl(tmp_path / "card.jsonl")
    assert len(rows) == 6
    for row in rows:
        score = run.metrics[row["line"]]
        assert isinstance(score, Score)
        assert score.n >= 200
        assert score.low <= score.value <= score.high
    assert run.metrics["disagreed"] == 0
    assert run.metrics["fresh_with_rag"].value > run.metrics["fresh_closed_book"].value + 0.5


def test_every_line_has_at_least_200_gold_examples():
    from slmkit.gold.gold_set import read_gold

    for line in LINES:
        examples = read_gold(REPOSITORY / "gold" / line.family).examples
        assert sum(line.where.items() <= e.slice.items() for e in examples) >= 200, line.name
