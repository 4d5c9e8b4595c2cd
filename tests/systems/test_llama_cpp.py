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
    """Thinks, answers with a label and, like llama.cpp, refuses a prompt longer than the context."""

    refuses_system = False

    def __init__(self, path, n_ctx, n_gpu_layers, verbose):
        self.context, self.chats = n_ctx, []

    def create_chat_completion(self, chat, max_tokens, temperature, tools=None):
        self.chats.append(chat)
        self.tools = tools
        if self.refuses_system and chat[0]["role"] == "system":
            raise ValueError("System role not supported")  # what a template raises
        if len(chat[-1]["content"]) > self.context:
            raise ValueError("Requested tokens (99) exceed context window of 20")
        choice = {"message": {"content": "<think>cash?</think> top up "}, "finish_reason": "stop"}
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
    assert (short.text, short.stopped, short.error, short.thinking) == ("top up", True, "", "cash?")


def test_a_template_that_refuses_a_system_message_gets_it_in_the_user_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(Llama, "refuses_system", True)
    system = build(llama_cpp, Task("t", instruction="be brief."), gguf=tmp_path)
    tool = {"name": "find", "parameters": {}}
    answers = system.answer([Example("a", "why", "", tools=(tool,)), Example("b", "how", "")])
    assert [answer.text for answer in answers] == ["top up"] * 2
    assert system._engine.chats[1:] == [
        [{"role": "user", "content": f"be brief.\n\n{word}"}] for word in ("why", "how")
    ]
    assert "system message" in system.notes[0] and len(system.notes) == 1


def test_the_tools_of_a_question_reach_llama_cpp(tmp_path):
    system = build(llama_cpp, Task("t"), gguf=tmp_path)
    tool = {"name": "find", "parameters": {}}
    system.answer([Example("a", "why", "", tools=(tool,))])
    assert system._engine.tools == [{"type": "function", "function": tool}]


def test_labels_are_listed_as_in_every_system(tmp_path, nano):
    labels = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))
    system = build(llama_cpp, labels, gguf=tmp_path)
    system.answer([Example("a", "why", "")])
    assert system.opening == build(prompt, labels, model=nano).chat_model.opening
    assert system._engine.chats[0] == system.opening.chat([{"role": "user", "content": "why"}])
    assert build(llama_cpp, labels, gguf=tmp_path, show_labels=False).opening == Opening("say what it is about.")


def test_solved_examples_that_exceed_the_context_are_left_out(tmp_path, prepared, monkeypatch):
    def refuse(self, chat, **options):
        if len(chat) > 4:
            raise ValueError("Requested tokens (2100) exceed context window of 2048")
        return answer(self, chat, **options)

    answer = Llama.create_chat_completion
    monkeypatch.setattr(Llama, "create_chat_completion", refuse)
    system = build(llama_cpp, Task("t", instruction="be brief."), gguf=tmp_path, num_shots=3, examples=prepared)
    [answered] = system.answer([Example("a", "why", "")])
    assert (answered.text, answered.error, len(system._engine.chats[0])) == ("top up", "", 4)
    assert system.notes == [
        "1 of 1 prompts was too long for the context of 2,048 tokens: 2 solved examples were left out"
    ]
