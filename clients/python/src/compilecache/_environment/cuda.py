"""The GPU that CUDA itself puts first, asked in a process of its own.

Starting CUDA takes long, and a process that has done it cannot be forked for work on a GPU.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
from typing import Any

from compilecache._base.forks import no_fork
from compilecache._base.python_process import python_command, start_python
from compilecache._environment.gpu import Gpu
from compilecache.exceptions import CacheValidationError

_library = "libcuda.so.1"
_name_length = 256
_capability_major, _capability_minor = 75, 76
_seconds_to_answer = 30


def first_cuda_gpu() -> Gpu | None:
    """Return the first GPU that CUDA shows to processes like this one; None where it shows none.

    Raises CacheValidationError where CUDA is there and cannot be asked: a cache of a GPU must not
    be taken for one of none.
    """
    try:
        command = python_command(__name__)
        with no_fork():
            asked = start_python(command, subprocess.DEVNULL, subprocess.PIPE)
        with asked:
            try:
                answer, _ = asked.communicate(timeout=_seconds_to_answer)
            finally:
                asked.kill()
        found = json.loads(answer)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        if not _is_installed():
            return None
        raise CacheValidationError(f"CUDA does not say which GPU comes first: {error}") from error
    return Gpu(*found) if found else None


def main() -> None:
    """Print name and compute capability of the first GPU."""
    print(json.dumps(_ask()))


def _is_installed() -> bool:
    try:
        ctypes.CDLL(_library)
    except OSError:
        return False
    return True


def _ask() -> tuple[str, str] | None:
    try:
        cuda: Any = ctypes.CDLL(_library)
    except OSError:
        return None
    count, device = ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    name = ctypes.create_string_buffer(_name_length)
    major, minor = ctypes.c_int(), ctypes.c_int()
    failed = (
        cuda.cuDeviceGet(ctypes.byref(device), 0)
        or cuda.cuDeviceGetName(name, _name_length, device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(major), _capability_major, device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(minor), _capability_minor, device)
    )
    return None if failed else (name.value.decode(), f"{major.value}.{minor.value}")
