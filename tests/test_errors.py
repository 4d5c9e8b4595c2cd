"""Errors of other libraries that are recognised, and those that must not be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from slmkit.errors import is_out_of_memory


def raised(action: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as error:
        action()
    return error.value


def test_the_errors_of_torch_and_numpy_for_too_little_memory_are_recognised() -> None:
    import numpy as np
    import torch

    too_many = 2**56  # bytes, more than an address space
    assert is_out_of_memory(raised(lambda: torch.empty(too_many, dtype=torch.uint8)))
    assert is_out_of_memory(raised(lambda: np.empty(too_many, dtype=np.uint8)))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("expected a tensor in channels-last memory format"),
        ValueError("the note says: out of memory"),
    ],
)
def test_other_errors_that_speak_of_memory_are_not_out_of_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_recognising_an_error_imports_no_torch() -> None:
    code = "import sys; from slmkit.errors import is_out_of_memory as f; f(OSError()); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
