"""Whether a CUDA driver answers, asked without importing torch, which takes seconds."""

from __future__ import annotations


def cuda_is_there() -> bool:
    """Whether a CUDA driver answers, asked without importing torch (seconds)."""
    import ctypes

    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    return False
