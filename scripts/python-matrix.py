"""Tests the Python package, as its wheel, on the oldest and newest of what it runs on.

Run with .venv/bin/python; fails when a test fails, and when no Python of the list is here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

root = Path(__file__).resolve().parent.parent
package = root / "clients" / "python"
combinations = [
    ("3.9", ["grpcio==1.51.*", "protobuf==3.20.3"]),
    ("3.10", ["grpcio==1.51.*", "protobuf==3.20.3"]),
    ("3.12", ["grpcio==1.60.*", "protobuf==4.25.*"]),
    ("3.13", ["grpcio", "protobuf"]),
]


def _find_python(version: str) -> Path | None:
    pyenv_root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(pyenv_root.glob(f"versions/{version}.*/bin/python"))
    if installed:
        return installed[-1]
    on_path = shutil.which(f"python{version}")
    return Path(on_path) if on_path else None


def _test(python: Path, wheel: str, pins: list[str]) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        own_python = str(Path(directory, "venv", "bin", "python"))
        pip = [own_python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        for command in [
            [str(python), "-m", "venv", f"{directory}/venv"],
            [*pip, "install", "--upgrade", "--upgrade-strategy", "eager", wheel, "pytest", *pins],
            [*pip, "check"],
            [own_python, "-m", "pip", "list", "--format", "freeze"],
            # Warnings of other packages, in versions that we do not pin, must not fail the tests.
            [own_python, "-m", "pytest", "-q", "-W", "default", str(package)],
        ]:
            if subprocess.run(command, cwd=directory).returncode != 0:
                return False
    return True


def _test_all(wheel: str) -> None:
    tested, failed = 0, 0
    for version, pins in combinations:
        found = _find_python(version)
        print(f"python-matrix: Python {version}, {', '.join(pins)}", flush=True)
        if not found:
            print(f"python-matrix: skipped, no Python {version} is here")
            continue
        tested += 1
        failed += not _test(found, wheel, pins)
    print(f"python-matrix: {tested - failed} of {tested} combinations passed")
    sys.exit(0 if tested and not failed else 1)


with tempfile.TemporaryDirectory() as dist:
    node = root / "node_modules" / ".bin" / "node"
    subprocess.run([str(node), str(root / "scripts" / "package.ts"), dist], check=True)
    _test_all(*map(str, Path(dist).glob("compilecache-*.whl")))
