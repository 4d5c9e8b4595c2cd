"""The optional Unsloth backend is checked before anything is loaded, and not imported unless requested."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
from project_files import Finished, write

from slmkit.errors import SlmkitError
from slmkit.models.unsloth import check_unsloth
from slmkit.types import ModelRef

ROW = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'


@pytest.mark.skipif(importlib.util.find_spec("unsloth") is not None, reason="unsloth is installed here")
def test_a_missing_backend_is_an_error_before_anything_is_loaded(project, slmkit: Callable[..., Finished]) -> None:
    write(project / "rows.jsonl", ROW)
    write(
        project / "recipes/r.yaml", "title: T\nstage: sft\nwith: {data: rows.jsonl, model: nano, backend: unsloth}\n"
    )
    done = slmkit("run", "r", "--profile", "tiny")
    assert done.code == 3
    assert "pip install unsloth" in done.err
    assert slmkit("run", "r", "backend=transformers", "--profile", "tiny", "--dry-run").code == 0


def test_an_adapter_or_attention_that_unsloth_lacks_is_refused() -> None:
    with pytest.raises(SlmkitError, match="'dora'"):
        check_unsloth(ModelRef("x", "org/model"), "dora", "auto")
    with pytest.raises(SlmkitError, match="'sdpa'") as error:
        check_unsloth(ModelRef("x", "org/model"), "lora", "sdpa")
    assert error.value.where == "attn_implementation"
