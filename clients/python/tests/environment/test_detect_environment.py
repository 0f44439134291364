"""Both ways to find the environment give the same key, where torch is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed"
)


@pytest.mark.parametrize("devices", [None, "", "0"], ids=["all", "none", "first"])
def test_torch_says_the_same(devices: str | None) -> None:
    environment = dict(os.environ)
    if devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = devices
    command = [sys.executable, "-m", "compilecache.commands.check_environment"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ways = json.loads(done.stdout)
    assert ways["same"]
    assert ways["without_torch"]["key"] == ways["with_torch"]["key"]
