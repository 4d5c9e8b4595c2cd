"""Prompts are chosen on the development set alone, within the budget, and the choice is told."""

import pytest

from slmkit.data.gold import freeze_gold
from slmkit.errors import SlmkitError
from slmkit.systems import _chat
from slmkit.systems.best_prompt import best_prompt
from slmkit.types import Example, Task

TASK = Task("opposites", instruction="say its opposite.")
PAIRS = [("hot", "cold"), ("big", "small"), ("up", "down"), ("wet", "dry"), ("old", "young"), ("day", "night")]


@pytest.fixture
def gold(tmp_path):
    def examples(count, kind):
        return [Example(f"{kind}{i}", f"{kind} {PAIRS[i % 6][0]} {i}", PAIRS[i % 6][1]) for i in range(count)]

    freeze_gold(tmp_path / "gold", examples=examples(20, "gold"), dev=examples(30, "dev"), task=TASK, source="test")
    return tmp_path / "gold"


@pytest.fixture
def asked(monkeypatch):
    """(example ids, first turns) of each call that reaches the model; the second instruction always answers right."""
    seen = []

    def answer(self, examples, turns, **_):
        from slmkit.types import Answer

        seen.append(([example.id for example in examples], turns[0], self.instruction))
        right = self.instruction == "what is not it?" and len(turns[0]) > 1
        return [Answer(example.id, example.target if right else "?") for example in examples]

    monkeypatch.setattr(_chat.ChatModel, "answer", answer)
    return seen


def test_the_best_on_dev_answers_and_the_budget_is_kept(nano, gold, prepared, asked):
    system = best_prompt(
        TASK, model=nano, gold=gold, examples=prepared, instructions=["what is not it?"], num_shots=[0, 2], budget=100
    )
    questions = [Example("gold0", "gold hot 0", "cold")]
    assert system.answer(questions)[0].text == "cold"
    *search, final = asked
    assert len(search) == 6  # two instructions, each without examples, with fixed and with nearest ones
    assert sum(len(ids) for ids, _, _ in search) <= 100
    assert all(id.startswith("dev") for ids, _, _ in search for id in ids)
    assert len({tuple(ids) for ids, _, _ in search}) == 1
    assert final[0] == ["gold0"] and final[2] == "what is not it?"
    assert (
        "chosen from 6 prompts by 96 answers on 16 development items: 'what is not it?' with 2 fixed"
        in system.notes[0]
    )


def test_the_search_is_made_once(nano, gold, asked):
    system = best_prompt(TASK, model=nano, gold=gold, instructions=["other"], budget=40)
    system.answer([Example("gold0", "x", "y")])
    system.answer([Example("gold1", "x", "y")])
    assert len(asked) == 2 + 2


def test_too_small_a_budget_is_refused_before_any_work(nano, gold):
    with pytest.raises(SlmkitError, match="leave 7 for each of 2 prompts"):
        best_prompt(TASK, model=nano, gold=gold, instructions=["other"], budget=15)


def test_it_works_on_the_real_model(nano, gold, prepared):
    system = best_prompt(TASK, model=nano, gold=gold, examples=prepared, num_shots=[0, 1], budget=60, max_new_tokens=2)
    assert len(system.answer([Example("gold0", "hot", "cold")])) == 1
    assert system.about["template"] and system.about["prompt"] == system.notes[0]
