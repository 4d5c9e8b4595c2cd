"""Asks the CUDA driver directly, because importing torch for torch.cuda.is_available() takes seconds."""

from __future__ import annotations


def cuda_is_available() -> bool:
    """Whether the CUDA driver finds at least one device."""
    import ctypes

    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    return False
