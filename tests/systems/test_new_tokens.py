"""max_new_tokens=auto leaves room for the longest gold answers, in every arm by the same rule."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_files import build

from slmkit.gold.freeze import freeze_gold
from slmkit.systems._new_tokens import limits_of, new_tokens, tokens_by_bytes
from slmkit.systems.prompt import prompt
from slmkit.types import Example, Task

CALL = json.dumps({"name": "book_table", "arguments": {"guests": 4, "day": "Friday", "notes": "near a window " * 10}})


def frozen(folder, *targets):
    examples = [Example(str(i), f"question {i}?", target) for i, target in enumerate(targets)]
    return freeze_gold(folder / "gold" / "mine", examples=examples, task=Task("mine"), source="made by this test")


def test_a_long_gold_answer_can_be_generated_whole(nano, tmp_path):
    gold = frozen(tmp_path, "yes", CALL, "no")
    tokens = len(build(prompt, gold.task, model=nano).chat_model._loaded().tokenizer(CALL)["input_ids"])
    assert tokens > 64  # the limit before
    system = build(prompt, gold.task, model=nano)
    limit = int(system.about["decoding"].split("up to ")[1].split()[0])
    assert limit >= 1.25 * tokens
    assert f"max_new_tokens=auto is {limit}" in system.notes[0]
    assert build(prompt, gold.task, model=nano, max_new_tokens=7).about["decoding"] == "greedy, up to 7 tokens"


def test_short_gold_answers_leave_room_for_an_explanation(nano, tmp_path):
    system = build(prompt, frozen(tmp_path, "yes", "no").task, model=nano)
    assert system.about["decoding"] == "greedy, up to 64 tokens (auto)"
    assert not system.notes


def test_without_the_tokenizer_the_tokens_are_estimated_from_the_bytes():
    assert new_tokens("auto", Task("t", longest_targets=("x" * 300,)), tokens_by_bytes) == 127  # 1.25 * (100 + 1)
    assert new_tokens("auto", Task("t", longest_targets=("水" * 100,)), tokens_by_bytes) == 127  # three bytes each
    assert new_tokens(5, Task("t", longest_targets=("x" * 300,)), tokens_by_bytes) == 5


@given(sizes=st.lists(st.integers(1, 1100)), limit=st.integers(64, 2000), context=st.integers(512, 1024))
def test_an_automatic_limit_never_exceeds_the_context(sizes, limit, context):
    for size, room in zip(sizes, limits_of(sizes, "auto", limit=limit, context=context), strict=True):
        assert room <= limit
        assert size + room <= context or room == 16  # the model's error says that this prompt does not fit


def test_a_prompt_that_leaves_less_room_is_still_answered(nano, tmp_path):
    gold = frozen(tmp_path, "a word " * 300, "no")
    system = build(prompt, gold.task, model=nano)
    loaded = system.chat_model._loaded()
    words = (loaded.context_length - 60) // len(loaded.tokenizer(" word", add_special_tokens=False)["input_ids"])
    [answer] = system.answer([Example("long", "word " * words, "no")])
    assert not answer.error and answer.prompt_tokens > loaded.context_length - 60
    assert "less room in the context" in system.notes[-1]


def test_the_longest_answers_are_those_of_the_whole_gold_set(tmp_path):
    task = frozen(tmp_path, *(f"{'x' * (i % 50)}{i}" for i in range(100))).task
    assert len(task.longest_targets) == 8
    assert min(map(len, task.longest_targets)) >= 47


@pytest.mark.parametrize("system", ["prompt", "rag", "best_prompt", "openai_endpoint", "vllm", "llama_cpp"])
def test_the_limit_of_every_system_is_automatic(system):
    from slmkit.recipe.lookup import load_part
    from slmkit.recipe.signature import parameters

    assert parameters(load_part("systems", system))["max_new_tokens"].default == "auto"
