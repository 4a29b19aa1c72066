from __future__ import annotations

import ctypes

from serving.device_memory import device_memory


def has_gpu() -> bool:
    try:
        return ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    except OSError:
        return False


def test_a_gpu_says_how_much_is_taken_and_no_gpu_says_nothing():
    memory = device_memory()
    if has_gpu():
        assert 0 < memory.used <= memory.total
    else:
        assert memory is None
