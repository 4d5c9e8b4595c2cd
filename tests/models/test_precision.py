"""bfloat16 on a CPU is chosen by a measurement, never against the recipe, and without touching random numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from slmkit.models import precision


def model(*, in_4bit: bool = False) -> Any:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(hidden_size=64))
    return SimpleNamespace(device=torch.device("cpu"), config=config, is_loaded_in_4bit=in_4bit)


@pytest.mark.parametrize(("gain", "chosen"), [(5.0, True), (1.1, False)])
def test_what_is_faster_is_chosen_and_said(monkeypatch: pytest.MonkeyPatch, gain: float, chosen: bool) -> None:
    monkeypatch.setattr(precision, "cpu_gain", lambda width: gain)
    assert precision.in_bfloat16(model()) is chosen
    said = precision.why(model(), "auto")
    assert said.startswith("products in bfloat16" if chosen else "products in float32")
    assert precision.in_bfloat16(model(), "float32") is False
    assert precision.in_bfloat16(model(in_4bit=True)) is False
    assert precision.why(model(), "float32") == ""


def test_the_measurement_draws_no_random_number_of_training() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    assert precision.cpu_gain.__wrapped__(32) > 0
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
