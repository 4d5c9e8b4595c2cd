"""The norms read from a file are those of the weights in it, for every number type."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import slmkit
from slmkit.models.embedding_norms import embedding_norms
from slmkit.types import ModelRef

NANO = Path(slmkit.__file__).parent / "assets" / "nano"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_norms_are_those_of_the_weights(tmp_path, dtype):
    weights = {name: tensor.to(dtype).contiguous() for name, tensor in load_file(NANO / "model.safetensors").items()}
    save_file(weights, tmp_path / "model.safetensors")
    (name,) = [name for name in weights if name.endswith("embed_tokens.weight")]
    expected = weights[name].float().norm(dim=1)
    torch.testing.assert_close(
        torch.tensor(embedding_norms(ModelRef("x", str(tmp_path)))), expected, rtol=1e-4, atol=0
    )


def test_without_weights_there_are_no_norms(tmp_path):
    assert embedding_norms(ModelRef("x", str(tmp_path))) is None
    assert embedding_norms(ModelRef("org/name", "org/name")) is None
