"""bfloat16 on a CPU depends only on the machine, the model and the recipe, so that training is reproducible."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from slmkit.models import precision


def model(width: int, *, in_4bit: bool = False) -> Any:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(hidden_size=width))
    return SimpleNamespace(device=torch.device("cpu"), config=config, is_loaded_in_4bit=in_4bit)


@pytest.mark.parametrize(("able", "width", "chosen"), [(True, 576, True), (True, 128, False), (False, 576, False)])
def test_a_wide_model_on_a_cpu_with_the_instructions_computes_in_bfloat16(monkeypatch, able, width, chosen):
    monkeypatch.setattr(precision, "cpu_supports_bfloat16", lambda: able)
    assert precision.in_bfloat16(model(width)) is chosen
    note = precision.why(model(width), "auto")
    assert ("bfloat16" if chosen else "float32") in note.split(":")[0]


def test_an_explicit_dtype_and_4_bit_weights_are_respected(monkeypatch):
    monkeypatch.setattr(precision, "cpu_supports_bfloat16", lambda: True)
    assert precision.in_bfloat16(model(576), "float32") is False
    assert precision.in_bfloat16(model(576, in_4bit=True)) is False
    assert precision.why(model(576), "float32") == ""
