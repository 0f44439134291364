"""The machine's NVIDIA GPUs, by the library that comes with their driver.

It does not start CUDA, which takes long and which a process must not have done before it forks.
"""

from __future__ import annotations

import ctypes
from typing import Callable

from compilecache._environment.gpu import Gpu

_library = "libnvidia-ml.so.1"
_text_length = 96
_not_supported = 3


class NvmlError(Exception):
    """The library is not there, or cannot tell."""


def list_gpus() -> tuple[list[Gpu], bool]:
    """Return the GPUs in the order of their PCI addresses, and whether one is split (MIG).

    Raises NvmlError.
    """
    try:
        nvml = ctypes.CDLL(_library)
    except OSError as error:
        raise NvmlError(str(error)) from error
    _check(nvml.nvmlInit_v2(), "nvmlInit")
    try:
        count = ctypes.c_uint()
        _check(nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)), "nvmlDeviceGetCount")
        handles = [_handle(nvml, index) for index in range(count.value)]
        split = [_is_split(nvml, handle) for handle in handles]
        return [_gpu(nvml, handle) for handle in handles], any(split)
    except AttributeError as error:
        raise NvmlError(f"an old {_library}: {error}") from error
    finally:
        nvml.nvmlShutdown()


def _handle(nvml: ctypes.CDLL, index: int) -> ctypes.c_void_p:
    handle = ctypes.c_void_p()
    _check(nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)), f"GPU {index}")
    return handle


def _gpu(nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> Gpu:
    major, minor = ctypes.c_int(), ctypes.c_int()
    capability = nvml.nvmlDeviceGetCudaComputeCapability
    _check(capability(handle, ctypes.byref(major), ctypes.byref(minor)), "compute capability")
    return Gpu(
        name=_text(nvml.nvmlDeviceGetName, handle),
        architecture=f"{major.value}.{minor.value}",
        uuid=_text(nvml.nvmlDeviceGetUUID, handle),
    )


def _text(function: Callable[..., int], handle: ctypes.c_void_p) -> str:
    text = ctypes.create_string_buffer(_text_length)
    _check(function(handle, text, _text_length), "text")
    return text.value.decode(errors="replace")


def _is_split(nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> bool:
    current, pending = ctypes.c_uint(), ctypes.c_uint()
    code = nvml.nvmlDeviceGetMigMode(handle, ctypes.byref(current), ctypes.byref(pending))
    if code == _not_supported:
        return False
    _check(code, "MIG mode")
    return current.value == 1


def _check(code: int, what: str) -> None:
    if code != 0:
        raise NvmlError(f"{what}: NVML says {code}")
