"""What vLLM is asked and how its answers are taken; the engine is a stand-in, for vLLM needs a GPU of its own."""

import importlib.machinery
import sys
from types import ModuleType, SimpleNamespace

import pytest
from transformers import AutoTokenizer

from slmkit.systems.prompt import prompt
from slmkit.systems.vllm import vllm
from slmkit.types import Example, ModelRef, Task

TASK = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))


class LLM:
    """Answers "top up" to each chat, and refuses them all, as vLLM does, where one is longer than the context."""

    def __init__(self, model, max_model_len, gpu_memory_utilization):
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=max_model_len))

    def chat(self, chats, sampling, lora_request, use_tqdm):
        assert chats, "vLLM takes an empty list for one chat"
        rows = [self.tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"] for chat in chats]
        if any(len(ids) > self.llm_engine.model_config.max_model_len for ids in rows):
            raise ValueError("The decoder prompt is longer than the maximum model length")
        said = SimpleNamespace(text=" top up ", token_ids=[1, 2], finish_reason="stop")
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


def test_the_labels_are_listed_as_every_arm_lists_them(nano, tmp_path):
    [opening] = prompt(TASK, model=nano).chat_model.opening
    assert vllm(TASK, model=nano).opening == opening["content"]
    (tmp_path / "model").mkdir()
    trained = ModelRef("loop/train", str(tmp_path))
    assert vllm(TASK, model=trained).opening == "say what it is about."
    assert vllm(TASK, model=trained, show_labels=True).opening == opening["content"]


def test_a_prompt_longer_than_the_context_is_an_error_of_its_own(nano):
    system = vllm(TASK, model=nano, context_length=100, max_new_tokens=10)
    questions = [Example("a", "my card", ""), Example("long", "why " * 90, ""), Example("b", "cash", "")]
    heard = []
    first, long, last = system.answer(questions, on_answer=heard.append)
    assert heard == [first, long, last] and [answer.example_id for answer in heard] == ["a", "long", "b"]
    assert [(answer.text, answer.error) for answer in (first, last)] == [("top up", "")] * 2
    wanted = prompt(TASK, model=nano, decoding="greedy").answer(questions)
    assert [answer.prompt_tokens for answer in heard] == [answer.prompt_tokens for answer in wanted]
    assert (long.text, long.stopped) == ("", False)
    assert long.error == f"prompt of {long.prompt_tokens} tokens and max_new_tokens=10 exceed the context of 100"
    assert system.answer(questions[1:2])[0].error == long.error
