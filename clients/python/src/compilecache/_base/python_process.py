"""Processes of this Python that run a function of this package, and start fast."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from compilecache._base.find_python import find_python
from compilecache._base.python_environment import python_environment

# Without `site`: nothing that an image starts with each Python is needed, and it may be slow.
# Python's own modules come first: a model may have a `queue.py`.
_program = """
import sys
module, count, *words = sys.argv[1:]
own = [entry for entry in sys.path if entry]
sys.path[:] = own + [entry for entry in words[:int(count)] if entry not in own]
sys.argv[1:] = words[int(count):]
import importlib
importlib.import_module(module).main()
"""
_package_parent = str(Path(__file__).absolute().parents[2])


def python_command(module: str, *arguments: str) -> list[str]:
    """Return a command that runs `main` of a module, with what is importable here.

    It gets `arguments` as `sys.argv[1:]`, and is to be started with `python_environment`. Raises
    OSError, NoPythonError where there is none; may start a process to find out.
    """
    path = [str(entry) for entry in sys.path]
    if _package_parent not in path:
        path.append(_package_parent)
    # UTF-8, so that paths mean the same in both, whatever the locale.
    flags = ["-s", "-S", "-W", "ignore", "-X", "utf8=1", "-c", _program]
    return [find_python(), *flags, module, str(len(path)), *path, *arguments]


def start_python(command: list[str], stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    """Start what `python_command` returned. Raises OSError. To be called within `no_fork`."""
    return subprocess.Popen(
        command, env=python_environment(), stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL
    )
