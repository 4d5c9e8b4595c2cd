"""Small models and rows for the tests of the training libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

import slmkit

NANO = Path(slmkit.__file__).parent / "assets" / "nano"


@pytest.fixture
def nano(libraries):
    """The embedded model, fresh for each test: training changes it."""
    import torch

    torch.set_num_threads(1)  # small matrices: a second thread gains little, and costs much beside other work
    from slmkit.models.load import load_model
    from slmkit.types import ModelRef

    return load_model(ModelRef("nano", str(NANO)), device="cpu")
