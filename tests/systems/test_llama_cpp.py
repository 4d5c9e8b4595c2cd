"""Requests to llama.cpp and its replies; the engine is a stand-in, because the real one compiles from source."""

import importlib.machinery
import sys
import types

import pytest
from project_files import build

from slmkit.systems._chat import Opening
from slmkit.systems.llama_cpp import llama_cpp
from slmkit.systems.prompt import prompt
from slmkit.types import Example, Task


class Llama:
    """Answers with a label and, like llama.cpp, refuses a prompt longer than the context."""

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


def test_a_prompt_longer_than_the_context_is_the_error_of_one_answer(tmp_path):
    system = build(llama_cpp, Task("t"), gguf=tmp_path, context_length=20)
    long, short = system.answer([Example("long", "why " * 9, ""), Example("short", "why", "")])
    assert (long.text, long.stopped) == ("", False) and "20" in long.error
    assert (short.text, short.stopped, short.error) == ("top up", True, "")


def test_labels_are_listed_as_in_every_system(tmp_path, nano):
    labels = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))
    system = build(llama_cpp, labels, gguf=tmp_path)
    system.answer([Example("a", "why", "")])
    assert system.opening == build(prompt, labels, model=nano).chat_model.opening
    assert system._engine.chats[0] == system.opening.chat([{"role": "user", "content": "why"}])
    assert build(llama_cpp, labels, gguf=tmp_path, show_labels=False).opening == Opening("say what it is about.")
