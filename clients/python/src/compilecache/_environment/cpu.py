"""The CPU capability that torch would name, without torch."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

_cpuinfo = Path("/proc/cpuinfo")
_avx512 = {"avx512vl", "avx512bw", "avx512dq", "fma"}
_avx2 = {"avx2", "fma"}
_prctl_get_sve_vector_length = 51


def cpu_capability() -> str:
    """Return "default", "avx2", "avx512", "sve256", "vsx" or "zvector".

    torch is asked where it is imported; both ways give the same.
    """
    torch: Any = sys.modules.get("torch")
    ask = getattr(getattr(torch, "_C", None), "_get_cpu_capability", None)
    if ask is None:
        return read_cpu_capability()
    name: str = ask()
    # Some versions have other words for the same.
    return {"NO AVX": "default", "Z VECTOR": "zvector"}.get(name, name.lower())


def read_cpu_capability() -> str:
    """Return what torch would say, by its rules: ATEN_CPU_CAPABILITY, else what the CPU has."""
    machine = os.uname().machine
    asked = os.environ.get("ATEN_CPU_CAPABILITY")
    if machine in ("x86_64", "i686"):
        if asked in ("avx512", "avx2", "default"):
            return asked
        return _capability_of_x86(_flags("flags"))
    if machine == "aarch64":
        if asked == "default":
            return asked
        wide_enough = {"sve", "bf16"} <= _flags("Features") and _sve_bytes() == 32
        return "sve256" if wide_enough else "default"
    if machine in ("ppc64le", "s390x"):
        name = "vsx" if machine == "ppc64le" else "zvector"
        if asked in (name, "default"):
            return asked
        return name if machine == "ppc64le" or "vxe" in _flags("features") else "default"
    return "default"


def _capability_of_x86(flags: set[str]) -> str:
    if flags >= _avx512:
        return "avx512"
    return "avx2" if flags >= _avx2 else "default"


def _flags(field: str) -> set[str]:
    """Return the features of the first CPU."""
    try:
        with _cpuinfo.open() as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == field:
                    return set(value.split())
    except OSError:
        pass
    return set()


def _sve_bytes() -> int:
    length: int = ctypes.CDLL(None).prctl(_prctl_get_sve_vector_length, 0, 0, 0, 0)
    return length & 0xFFFF if length > 0 else 0
