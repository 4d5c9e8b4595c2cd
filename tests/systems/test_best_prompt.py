"""Prompts are chosen on the development set only, within the budget, and a note reports the choice."""

import re

import pytest
from project_files import read_jsonl

from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_gold
from slmkit.metrics.match import contains, exact_match
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages.compare import compare
from slmkit.stages.eval import eval
from slmkit.systems import _chat
from slmkit.systems.best_prompt import best_prompt
from slmkit.types import Answer, Example, Task

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
    """(example ids, first chat) of each call that reaches the model; the second instruction always answers right."""
    seen = []

    def answer(self, examples, chats, **_):
        seen.append(([example.id for example in examples], chats[0], self.options.instruction))
        right = self.options.instruction == "what is not it?" and len(chats[0]) > 2
        return [Answer(example.id, example.target if right else "?") for example in examples]

    monkeypatch.setattr(_chat.ChatModel, "answer", answer)
    return seen


def test_the_best_prompt_on_the_development_set_answers_within_the_budget(nano, gold, prepared, asked):
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
    [note] = system.notes
    assert re.search(r"\b6\b.*\b16\b.*'what is not it\?' with 2 fixed.*\b96\b", note)


def test_the_search_runs_once(nano, gold, asked):
    system = best_prompt(TASK, model=nano, gold=gold, instructions=["other"], budget=40)
    system.answer([Example("gold0", "x", "y")])
    system.answer([Example("gold1", "x", "y")])
    assert len(asked) == 2 + 2


@pytest.fixture
def verbose(monkeypatch):
    """One instruction gives every right answer within a sentence; the other gives only the first one, verbatim."""

    def answer(self, examples, turns, *, on_answer=None, **_):
        wordy = {"explain.": [f"well, it is {example.target}, i think" for example in examples]}
        texts = wordy.get(self.options.instruction, [examples[0].target, *["?" for _ in examples[1:]]])
        answers = [Answer(example.id, text) for example, text in zip(examples, texts, strict=True)]
        for one in answers if on_answer else ():
            on_answer(one)
        return answers

    monkeypatch.setattr(_chat.ChatModel, "answer", answer)


@pytest.mark.parametrize("stage", ["compare", "eval"])
def test_the_best_prompt_is_chosen_by_the_metric_of_the_stage(nano, gold, tmp_path, verbose, stage):
    def note(scored_by, **own):
        arguments = {"model": nano, "gold": gold, "instructions": ["explain."], "budget": 40, "metric": None, **own}
        part = Part("systems", "best_prompt", best_prompt, arguments)
        run = Run(tmp_path / f"run {scored_by} {own}")
        if stage == "compare":
            compare(run, systems={"best": part}, gold=gold, metric=scored_by, limit=2)
        else:
            eval(run, system=part, gold=gold, metric=scored_by, limit=2)
        return next(row["text"] for row in read_jsonl(run.dir / "notes.jsonl") if "with no examples" in row["text"])

    assert "'say its opposite.' with no examples, exact_match 0.050" in note(None)
    assert "'explain.' with no examples, contains 1.000" in note(contains)
    assert "'say its opposite.' with no examples, exact_match 0.050" in note(contains, metric=exact_match)


def test_a_budget_that_is_too_small_is_refused_before_any_work(nano, gold):
    with pytest.raises(SlmkitError, match=r"\b7 development items.*\b2 prompts.*\b15\b") as caught:
        best_prompt(TASK, model=nano, gold=gold, instructions=["other"], budget=15)
    assert caught.value.where == str(gold / "dev.jsonl")


def test_the_search_runs_on_the_real_model(nano, gold, prepared):
    system = best_prompt(TASK, model=nano, gold=gold, examples=prepared, num_shots=[0, 1], budget=60, max_new_tokens=2)
    assert len(system.answer([Example("gold0", "hot", "cold")])) == 1
    assert system.about["template"] and system.about["prompt"] == system.notes[0]
