"""Brings .venv, the Python environment for development, up to date; run it with python3.

It holds what clients/python/requirements-dev.txt pins, and the package in clients/python, editable,
with a link to the server where the wheel has the built one.
Takes 30 s the first time, and no time while these stay as they are.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
venv = root / ".venv"
package = root / "clients" / "python"
requirements = package / "requirements-dev.txt"
# grpcio-tools 1.62.3 has wheels up to 3.12, and the checkers run from 3.10 on.
supported = [(3, 11), (3, 12), (3, 10)]


def _find_python() -> str:
    if sys.version_info[:2] in supported:
        return sys.executable
    for major, minor in supported:
        found = shutil.which(f"python{major}.{minor}")
        # A version manager may put a placeholder on the path for a version that is not installed.
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    sys.exit("python-env: development needs Python 3.10, 3.11 or 3.12; none is on the path")


def _digest(source: Path) -> str:
    return f"{hashlib.sha256(source.read_bytes()).hexdigest()} {root}\n"


def _bring_up_to_date(source: Path, *commands: list[str]) -> None:
    """Run the commands unless they have been run for this content of `source`."""
    stamp = venv / f"{source.name}.stamp"
    digest = _digest(source)
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"python-env: {source.name} is new; bringing .venv up to date", file=sys.stderr)
    for command in commands:
        if subprocess.run(command).returncode != 0:
            sys.exit(f"python-env: this failed: {' '.join(command)}")
    stamp.write_text(digest)


pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
server = package / "src" / "compilecache" / "_server"
with requirements.open() as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not server.is_symlink():
        server.symlink_to("../../../../server")
    _bring_up_to_date(
        requirements,
        [_find_python(), "-m", "venv", "--clear", str(venv)],
        [*pip, "install", "-r", str(requirements)],
    )
    _bring_up_to_date(
        package / "pyproject.toml",
        [*pip, "install", "--no-deps", "--no-build-isolation", "-e", str(package)],
    )
