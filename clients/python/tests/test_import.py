"""What importing the package does, and does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import compilecache


def _run(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_nothing_is_imported_that_takes_long() -> None:
    script = """
import sys
import compilecache
heavy = ["torch", "triton", "grpc", "google.protobuf", "asyncio", "numpy", "ssl", "http.client"]
print([name for name in heavy if name in sys.modules])
assert compilecache.CacheClient and "grpc" in sys.modules
"""
    assert _run(script) == "[]\n"


def test_the_version_is_the_package_s() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    assert f'\nversion = "{compilecache.__version__}"\n' in project.read_text("utf-8")
