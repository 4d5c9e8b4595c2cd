"""What llama.cpp is asked and how its replies are taken; the engine is a stand-in, for it compiles from source."""

import importlib.machinery
import sys
import types

import pytest

from slmkit.systems.llama_cpp import llama_cpp
from slmkit.systems.prompt import prompt
from slmkit.types import Example, Task


class Llama:
    """Answers with its label, and refuses what llama.cpp would: a question longer than the context."""

    def __init__(self, path, n_ctx, n_gpu_layers, verbose):
        self.context, self.chats = n_ctx, []

    def create_chat_completion(self, chat, max_tokens, temperature):
        self.chats.append(chat)
        if len(chat[-1]["content"]) > self.context:
            raise ValueError("Requested tokens (99) exceed context window of 20")
        choice = {"message": {"content": " top up "}, "finish_reason": "stop"}
        return {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    module = types.ModuleType("llama_cpp")
    module.__spec__ = importlib.machinery.ModuleSpec("llama_cpp", None)
    module.Llama = Llama
    monkeypatch.setitem(sys.modules, "llama_cpp", module)


def test_a_question_longer_than_the_context_is_an_error_that_did_not_end_its_turn(tmp_path):
    system = llama_cpp(Task("t"), gguf=tmp_path, context_length=20)
    long, short = system.answer([Example("long", "why " * 9, ""), Example("short", "why", "")])
    assert (long.text, long.stopped) == ("", False) and "exceed context" in long.error
    assert (short.text, short.stopped, short.error) == ("top up", True, "")


def test_the_labels_are_listed_as_every_arm_lists_them(tmp_path, nano):
    labels = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))
    system = llama_cpp(labels, gguf=tmp_path)
    system.answer([Example("a", "why", "")])
    assert system._engine.chats[0][:-1] == prompt(labels, model=nano).chat_model.opening
    assert llama_cpp(labels, gguf=tmp_path, show_labels=False).opening == "say what it is about."
