"""The CPU capability, by torch's rules."""

from __future__ import annotations

import os
import sys
import types
from typing import TYPE_CHECKING

import pytest

from compilecache._environment import cpu

if TYPE_CHECKING:
    from pathlib import Path

_sapphire_rapids = "fpu sse2 fma avx avx2 avx512f avx512dq avx512cd avx512bw avx512vl amx_tile"
_milan = "fpu sse2 fma avx avx2"


class _Machine:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, cpuinfo: Path) -> None:
        self._monkeypatch = monkeypatch
        self._cpuinfo = cpuinfo
        monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
        monkeypatch.setattr(cpu, "_cpuinfo", cpuinfo)

    def becomes(self, architecture: str, field: str = "", features: str = "") -> None:
        self._cpuinfo.write_text(f"processor\t: 0\n{field}\t\t: {features}\nbugs\t: none\n")
        names = types.SimpleNamespace(machine=architecture)
        self._monkeypatch.setattr(os, "uname", lambda: names)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Machine:
    return _Machine(monkeypatch, tmp_path / "cpuinfo")


@pytest.mark.parametrize(
    ("features", "capability"),
    [
        (_sapphire_rapids, "avx512"),
        # As some clouds hide it.
        (_sapphire_rapids.replace("avx512dq ", ""), "avx2"),
        (_sapphire_rapids.replace("fma ", ""), "default"),
        (_milan, "avx2"),
        ("fpu sse2 avx", "default"),
    ],
)
def test_x86(machine: _Machine, features: str, capability: str) -> None:
    machine.becomes("x86_64", "flags", features)
    assert cpu.read_cpu_capability() == capability


def test_the_variable_comes_first(machine: _Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.becomes("x86_64", "flags", _sapphire_rapids)
    for asked, found in [("avx2", "avx2"), ("default", "default"), ("sse9", "avx512")]:
        monkeypatch.setenv("ATEN_CPU_CAPABILITY", asked)
        assert cpu.read_cpu_capability() == found


@pytest.mark.parametrize(
    ("features", "sve_bytes", "capability"),
    [
        ("fp asimd sve bf16", 32, "sve256"),
        ("fp asimd sve bf16", 16, "default"),
        ("fp asimd sve", 32, "default"),
        ("fp asimd", 0, "default"),
    ],
)
def test_arm(
    machine: _Machine,
    monkeypatch: pytest.MonkeyPatch,
    features: str,
    sve_bytes: int,
    capability: str,
) -> None:
    machine.becomes("aarch64", "Features", features)
    monkeypatch.setattr(cpu, "_sve_bytes", lambda: sve_bytes)
    assert cpu.read_cpu_capability() == capability


def test_others(machine: _Machine) -> None:
    machine.becomes("ppc64le")
    assert cpu.read_cpu_capability() == "vsx"
    machine.becomes("s390x", "features", "esan3 vx vxe")
    assert cpu.read_cpu_capability() == "zvector"
    machine.becomes("riscv64")
    assert cpu.read_cpu_capability() == "default"


@pytest.mark.parametrize(
    ("said", "capability"), [("AVX512", "avx512"), ("NO AVX", "default"), ("DEFAULT", "default")]
)
def test_an_imported_torch_is_asked(
    monkeypatch: pytest.MonkeyPatch, said: str, capability: str
) -> None:
    torch = types.SimpleNamespace(_C=types.SimpleNamespace(_get_cpu_capability=lambda: said))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert cpu.cpu_capability() == capability


def test_this_machine_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    assert cpu.cpu_capability() in ("default", "avx2", "avx512", "sve256", "vsx")
