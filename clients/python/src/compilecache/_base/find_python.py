"""Which program is the Python that runs this process, proven by starting it once.

`sys.executable` may be a server that holds a Python (uWSGI), a program that is packed with one, a
script, or nothing. Such a program, started with a Python's arguments, runs the model once more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from compilecache._base.forks import in_child_of_fork, no_fork
from compilecache._base.python_environment import python_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_trial_variable = "COMPILECACHE_TRIES_THIS_AS_PYTHON"
# A Python that is tried does not import this. So this is a second copy of the program that tries
# itself, and must not go on to do its work.
if _trial_variable in os.environ:
    os._exit(1)

_seconds_to_answer = 20.0
# Reversed, for a program may print its arguments.
_trial = """
import sys
print(sys.argv[1][::-1], sys.implementation.cache_tag, sys.abiflags, sys.maxsize)
"""
_build = f"{sys.implementation.cache_tag} {sys.abiflags} {sys.maxsize}"
_python_name = re.compile(r"(python|pypy)[0-9.]*[a-z]?")
_no_process_for_now = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}

_lock = threading.Lock()
_found: str | None = None
# What was started, or is about to be: none is started twice.
_tried: set[str] = set()


class NoPythonError(FileNotFoundError):
    """There is no Python that could import what this process can."""


def find_python() -> str:
    """Return the path of a Python of the same build as this one. Raises NoPythonError, or OSError.

    Starts a process where it is not known yet, and no program more than once.
    """
    global _found
    with _lock:
        if _found is None:
            _found = next(filter(_is_this_python, _candidates()), None)
        if _found is None:
            raise NoPythonError("this process does not know its Python")
        return _found


def _candidates() -> Iterator[str]:
    """Yield programs that may be it: what is named so, then what is not but calls itself so."""
    own = [sys.executable, getattr(sys, "_base_executable", "")]
    # A program that is packed with its Python says so.
    if getattr(sys, "frozen", False):
        own.clear()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    installed = [
        os.path.join(prefix, "bin", name)
        for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix)
        for name in (f"python{version}", "python3", "python")
    ]
    for program in dict.fromkeys([*filter(_is_named_python, own), *installed, *own]):
        if program and program not in _tried and os.path.isfile(program):
            _tried.add(program)
            yield program


def _is_named_python(program: str | None) -> bool:
    return _python_name.fullmatch(os.path.basename(program or "")) is not None


def _is_this_python(program: str) -> bool:
    """Start a program, and return whether it does what a Python of this build does."""
    nonce = secrets.token_hex(8)
    expected = f"{nonce[::-1]} {_build}"
    try:
        with no_fork():
            tried = subprocess.Popen(
                [program, "-s", "-S", "-c", _trial, nonce],
                env={**python_environment(), _trial_variable: "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # So that what it has started ends with it.
                start_new_session=True,
            )
    except OSError as error:
        _tried.discard(program)
        if error.errno in _no_process_for_now:
            raise
        return False
    answer = b""
    try:
        answer, _ = tried.communicate(timeout=_seconds_to_answer)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if tried.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(tried.pid, signal.SIGKILL)
        if tried.stdout:
            tried.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            tried.wait(1)
    return answer.decode("utf-8", "replace").strip() == expected


def _in_child() -> None:
    """A trial of the parent's may not have ended."""
    global _lock
    _lock = threading.Lock()
    _tried.difference_update([program for program in _tried if _is_named_python(program)])


in_child_of_fork(_in_child)
