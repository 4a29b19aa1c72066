"""How much of a GPU's memory is taken, as the NVIDIA driver itself says: no library beside it."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

_DRIVER = "libcuda.so.1"
_FIRST = 0


class DeviceMemory(NamedTuple):
    """Bytes of the first GPU that this process sees."""

    used: int
    total: int


def device_memory() -> DeviceMemory | None:
    """Of the first GPU; none if there is no GPU, or it does not say."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), _FIRST):
        return None
    # The context that onnxruntime works in; it only counts one more user of it.
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    try:
        return _ask(driver, context)
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(device)


def _ask(driver: ctypes.CDLL, context: ctypes.c_void_p) -> DeviceMemory | None:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    if driver.cuCtxPushCurrent_v2(context):
        return None
    failed = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
    driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
    return None if failed else DeviceMemory(total.value - free.value, total.value)
