"""The optional backend is asked for, checked before anything is loaded, and never imported otherwise."""

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
def test_a_missing_backend_is_told_before_anything_is_loaded(project, slmkit: Callable[..., Finished]) -> None:
    write(project / "rows.jsonl", ROW)
    write(
        project / "recipes/r.yaml", "title: T\nstage: sft\nwith: {data: rows.jsonl, model: nano, backend: unsloth}\n"
    )
    done = slmkit("run", "r", "--profile", "tiny")
    assert done.code == 3
    assert done.error_lines[0] == "error: the backend unsloth is not installed"
    assert "pip install unsloth" in done.err
    assert slmkit("run", "r", "backend=transformers", "--profile", "tiny", "--dry-run").code == 0


def test_an_adapter_that_unsloth_has_not_is_refused() -> None:
    with pytest.raises(SlmkitError, match="no adapter 'dora'"):
        check_unsloth(ModelRef("x", "org/model"), "dora", "auto")
    with pytest.raises(SlmkitError, match="takes no attn_implementation"):
        check_unsloth(ModelRef("x", "org/model"), "lora", "sdpa")
