"""Processes of this Python that run a function of this package, and start fast."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

# Without `site`: nothing that an image starts with each Python is needed, and it may be slow.
_program = """
import importlib, sys
module, *sys.path[:] = sys.argv[1:]
importlib.import_module(module).main()
"""
_package_parent = str(Path(__file__).parents[2])

# Reentrant, for starting a process may itself fork through the hooks below.
_starting = threading.RLock()


@contextmanager
def no_fork() -> Generator[None, None, None]:
    """Keep other threads from forking, for the moment in which a process is started.

    The child of such a fork would hold pipes whose closing tells that the start is over, or that
    the process has ended, and both would seem to last as long as the child.
    """
    with _starting:
        yield


def find_python() -> str:
    """Return the path of the Python that runs this. Raises OSError where it does not know it."""
    # In a program that is packed with its Python, `sys.executable` is the program.
    if not sys.executable or getattr(sys, "frozen", False):
        raise FileNotFoundError("this process does not know its Python")
    return sys.executable


def start_python(module: str, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    """Start `main` of a module, with what is importable here. Raises OSError.

    To be called within `no_fork`.
    """
    path = [str(entry) for entry in sys.path]
    if _package_parent not in path:
        path.append(_package_parent)
    command = [find_python(), "-S", "-c", _program, module, *path]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)


def _after_fork_in_child() -> None:
    global _starting
    _starting = threading.RLock()


os.register_at_fork(
    before=lambda: _starting.acquire(),
    after_in_parent=lambda: _starting.release(),
    after_in_child=_after_fork_in_child,
)
