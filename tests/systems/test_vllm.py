"""What vLLM is asked; the engine is a stand-in, for vLLM needs a GPU and an environment of its own."""

import importlib.machinery
import sys
import types

import pytest

from slmkit.systems.prompt import prompt
from slmkit.systems.vllm import vllm
from slmkit.types import ModelRef, Task

TASK = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    module = types.ModuleType("vllm")
    module.__spec__ = importlib.machinery.ModuleSpec("vllm", None)
    monkeypatch.setitem(sys.modules, "vllm", module)


def test_the_labels_are_listed_as_every_arm_lists_them(nano, tmp_path):
    [opening] = prompt(TASK, model=nano).chat_model.opening
    assert vllm(TASK, model=nano).opening == opening["content"]
    (tmp_path / "model").mkdir()
    trained = ModelRef("loop/train", str(tmp_path))
    assert vllm(TASK, model=trained).opening == "say what it is about."
    assert vllm(TASK, model=trained, show_labels=True).opening == opening["content"]
