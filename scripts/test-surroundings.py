"""Runs the tests of what may be around a model's process that take longer; installs what they need.

uWSGI and gevent go beside the environment for development, and are built or fetched once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
place = root / ".venv" / "surroundings"
packages = ["uWSGI==2.0.31", "gevent==26.9.0"]

pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
if not (place / "bin" / "uwsgi").exists():
    command = [*pip, "install", "--prefix", str(place), *packages]
    if subprocess.run(command).returncode != 0:
        sys.exit(f"test-surroundings: this failed: {' '.join(command)}")

version = f"python{sys.version_info.major}.{sys.version_info.minor}"
environment = {
    **os.environ,
    "PATH": f"{place}/bin:{os.environ['PATH']}",
    "PYTHONPATH": f"{place}/lib/{version}/site-packages",
}
tests = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "clients/python"]
sys.exit(subprocess.run(tests, cwd=root, env=environment).returncode)
