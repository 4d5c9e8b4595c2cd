"""Requests to vLLM and its answers; the engine is a stand-in, because vLLM needs a GPU and its own torch."""

import importlib.machinery
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest
from project_files import build
from transformers import AutoTokenizer

from slmkit.systems._chat import Opening
from slmkit.systems.prompt import prompt
from slmkit.systems.vllm import vllm
from slmkit.types import Example, ModelRef, Task

TASK = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))


class LLM:
    """Thinks and answers "top up" to each prompt; like vLLM, refuses the batch if one is longer than the context."""

    def __init__(self, model, max_model_len, gpu_memory_utilization):
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=max_model_len))

    def generate(self, prompts, sampling, lora_request, use_tqdm):
        assert prompts, "vLLM takes an empty list for one prompt"
        rows = [prompt["prompt_token_ids"] for prompt in prompts]
        if any(len(ids) > self.llm_engine.model_config.max_model_len for ids in rows):
            raise ValueError("The decoder prompt is longer than the maximum model length")
        said = SimpleNamespace(text="<think>cash?</think> top up ", token_ids=[1, 2], finish_reason="stop")
        return [SimpleNamespace(outputs=[said], prompt_token_ids=ids) for ids in rows]


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    modules = {name: ModuleType(name) for name in ("vllm", "vllm.lora.request", "vllm.sampling_params")}
    modules["vllm"].__spec__ = importlib.machinery.ModuleSpec("vllm", None)
    modules["vllm"].LLM, modules["vllm"].SamplingParams = LLM, SimpleNamespace
    modules["vllm.lora.request"].LoRARequest = SimpleNamespace
    modules["vllm.sampling_params"].StructuredOutputsParams = SimpleNamespace
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_labels_are_listed_as_in_every_system(nano, tmp_path):
    opening = build(prompt, TASK, model=nano).chat_model.opening
    assert build(vllm, TASK, model=nano).opening == opening
    (tmp_path / "model").mkdir()
    trained = ModelRef("loop/train", str(tmp_path))
    assert build(vllm, TASK, model=trained).opening == Opening("say what it is about.")
    assert build(vllm, TASK, model=trained, show_labels=True).opening == opening


def test_a_prompt_longer_than_the_context_is_the_error_of_one_answer(nano):
    system = build(vllm, TASK, model=nano, context_length=100, max_new_tokens=10)
    questions = [Example("a", "my card", ""), Example("long", "why " * 90, ""), Example("b", "cash", "")]
    reported = []
    first, long, last = system.answer(questions, on_answer=reported.append)
    assert reported == [first, long, last] and [answer.example_id for answer in reported] == ["a", "long", "b"]
    assert [(answer.text, answer.error) for answer in (first, last)] == [("top up", "")] * 2
    expected = build(prompt, TASK, model=nano, decoding="greedy").answer(questions)
    assert (first.thinking, long.thinking) == ("cash?", None)
    assert [answer.prompt_tokens for answer in reported] == [answer.prompt_tokens for answer in expected]
    assert (long.text, long.stopped) == ("", False)
    assert {str(long.prompt_tokens), "10", "100"} <= set(re.findall(r"\d+", long.error))
    assert system.answer(questions[1:2])[0].error == long.error


def test_solved_examples_that_exceed_the_context_are_left_out_as_in_prompt(nano, prepared):
    shots = {"num_shots": 4, "examples": prepared}
    questions = [Example("a", "my card", ""), Example("b", "why " * 40, "")]
    system = build(vllm, TASK, model=nano, context_length=150, max_new_tokens=10, **shots)
    answers = system.answer(questions)
    assert not any(answer.error for answer in answers)
    assert answers[0].prompt_tokens <= 140 and answers[1].prompt_tokens <= 140
    [note] = system.notes
    assert re.match(r"\d of 2 prompts .* the context of 150 tokens: \d solved examples were left out", note)
