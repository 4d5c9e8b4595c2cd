"""What the tests of the stages share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def train_often(libraries):
    """These tests train many small models."""
