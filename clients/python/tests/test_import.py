"""What importing the package does, and does not."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import compilecache


def _run(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_neither_torch_nor_grpc_is_imported() -> None:
    script = """
import sys
import compilecache
heavy = ["torch", "triton", "grpc", "google.protobuf", "asyncio", "numpy"]
print([name for name in heavy if name in sys.modules])
assert compilecache.CacheClient and "grpc" in sys.modules
"""
    assert _run(script) == "[]\n"


def test_it_is_fast() -> None:
    """0.06 s of work on a quiet machine; gRPC alone is more."""

    def seconds(script: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        _run(script)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

    costs = [seconds("import compilecache") - seconds("pass") for _ in range(5)]
    assert min(costs) < 0.15


def test_the_version_is_the_package_s() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    assert f'\nversion = "{compilecache.__version__}"\n' in project.read_text("utf-8")
