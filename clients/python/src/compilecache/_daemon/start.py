"""Starts a daemon where none runs: one for all processes with the same settings, gone when unused.

It serves this user alone: its socket lies in a directory that only this user can enter. Processes
with other settings, such as another store, get another daemon.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from compilecache._base.local_directory import LocalDir, resolve_local_directory
from compilecache._base.python_process import find_python, no_fork
from compilecache._daemon.address import (
    OwnDaemonFiles,
    answers,
    is_private,
    own_daemon_files,
    running_address,
)
from compilecache._daemon.node import find_node
from compilecache.exceptions import CacheServiceError

_server = Path(__file__).parents[1] / "_server" / "bin" / "compilecache.js"
_default_idle_exit_seconds = "600"
# A daemon answers within half a second; a machine that starts a model may be busy.
_default_seconds_to_start = 20.0
# A daemon that was killed as it started is started again, but not without end.
_most_starts = 3
# What the daemon puts before the reason when it refuses to start.
_refusal = "compilecache: "
_first_interval_seconds = 0.5
_poll_seconds = 0.02
_longest_interval_seconds = 4.0

# The process that gets the lock becomes the daemon and holds it as long as it lives; the kernel
# frees it, also when the daemon is killed. The daemon keeps this program's standard output open, so
# that the reader of that pipe learns of its end. This program reports by words and not by an exit
# code, which a parent that ignores SIGCHLD would not get.
_launcher = """
import fcntl, os, sys
directory, name, *command = sys.argv[1:]
os.chdir(directory)
lock = os.open(name + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("held")
    sys.exit()
log = os.open(name + ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
try:
    os.unlink(name + ".sock")
except FileNotFoundError:
    pass
if os.fork():
    print("started")
    sys.exit()
os.setsid()
os.set_inheritable(os.dup(1), True)
os.dup2(log, 1)
os.dup2(log, 2)
os.set_inheritable(lock, True)
os.chdir("/")
os.execv(command[0], command)
"""


def ensure_daemon(
    local_dir: LocalDir | None = None, *, timeout_seconds: float = _default_seconds_to_start
) -> str:
    """Return the address of a daemon for work on `local_dir`, which is started if none is there.

    COMPILE_CACHE_ADDRESS, or the default socket if a daemon answers there, else a daemon of our
    own, which may work on the local directory alone unless COMPILE_CACHE_ALLOWED_DIRS says more.
    It ends when no client was connected and nothing has run for COMPILE_CACHE_IDLE_EXIT_SECONDS
    (default 600). Raises CacheServiceError UNAVAILABLE when it cannot be started.
    """
    deadline = time.monotonic() + timeout_seconds
    running = running_address()
    if running:
        return running
    directory = resolve_local_directory(local_dir)
    files = own_daemon_files(directory)
    if not files.has_daemon():
        _start(files, directory, deadline)
    return files.address


def _start(files: OwnDaemonFiles, local_dir: str, deadline: float) -> None:
    """Start the daemon, or wait for the one that another process starts, until it answers."""
    command = _daemon_command(files.socket, local_dir)
    _make_private(files.directory)
    starts = 0
    launch_interval_seconds = _first_interval_seconds
    while True:
        # Does nothing while another process holds the lock.
        life = _launch(files, command)
        if life is None:
            # All ranks of a machine may be waiting here, and launching takes the processor from it.
            try_again = time.monotonic() + launch_interval_seconds * (1 + random.random())
            launch_interval_seconds = min(2 * launch_interval_seconds, _longest_interval_seconds)
            if _answers_before(files.socket, min(try_again, deadline)):
                return
        else:
            with life:
                if _answers_before(files.socket, deadline, life):
                    return
                if _has_ended(life):
                    starts += 1
                    _give_up_if_hopeless(files, starts)
        if time.monotonic() > deadline:
            raise _unavailable(f"the daemon does not answer in time: {_joined(_last_words(files))}")


def _answers_before(path: Path, end: float, life: IO[bytes] | None = None) -> bool:
    """Wait for an answer until a time, or until the daemon that holds the other end has ended."""
    while time.monotonic() < end:
        if answers(path):
            return True
        if life and _has_ended(life):
            return False
        time.sleep(_poll_seconds)
    return False


def _has_ended(life: IO[bytes]) -> bool:
    os.set_blocking(life.fileno(), False)
    try:
        return os.read(life.fileno(), 1) == b""
    except BlockingIOError:
        return False


def _give_up_if_hopeless(files: OwnDaemonFiles, starts: int) -> None:
    words = _last_words(files)
    refused = any(line.startswith(_refusal) for line in words)
    if refused or starts >= _most_starts:
        raise _unavailable(f"the daemon does not start: {_joined(words)}")


def _joined(words: list[str]) -> str:
    lines = [line[len(_refusal) :] if line.startswith(_refusal) else line for line in words]
    return "; ".join(lines) or "its log says nothing"


def _daemon_command(socket_path: Path, local_dir: str) -> list[str]:
    if not _server.exists():
        raise _unavailable("no daemon runs, and this installation contains none to start")
    idle_seconds = os.environ.get("COMPILE_CACHE_IDLE_EXIT_SECONDS") or _default_idle_exit_seconds
    options = {
        "--listen": f"unix:{socket_path}",
        "--torch-cache-dir": local_dir,
        "--idle-exit-seconds": idle_seconds,
    }
    flags = [word for option in options.items() for word in option]
    return [find_node(), str(_server), "serve", *flags]


def _launch(files: OwnDaemonFiles, command: list[str]) -> IO[bytes] | None:
    """Make a new process the daemon; None where there is one already.

    What is returned can be read, to its end, once that process has ended.
    """
    try:
        program = [find_python(), "-I", "-S", "-c", _launcher, str(files.directory), files.name]
        with no_fork():
            launcher = subprocess.Popen(
                [*program, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
    except OSError as error:
        raise _unavailable(f"a Python process cannot be started: {error}") from error
    with ExitStack() as opened:
        # The process that becomes the daemon holds only the first.
        said = opened.enter_context(cast("IO[bytes]", launcher.stdout))
        errors = opened.enter_context(cast("IO[bytes]", launcher.stderr))
        answer = said.readline().strip()
        why = errors.read().decode("utf-8", "replace").strip()
        launcher.wait()
        if answer == b"held":
            return None
        if answer != b"started":
            raise _unavailable(f"the daemon cannot be started: {why}")
        errors.close()
        opened.pop_all()
        return said


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unavailable(f"no directory for the daemon's socket: {error}") from error
    if not is_private(directory):
        raise _unavailable(f"{directory} is not this user's alone")


def _last_words(files: OwnDaemonFiles) -> list[str]:
    """Return why the daemon refused to start, if it did, or else the end of its log."""
    with contextlib.suppress(OSError):
        lines = files.log.read_text("utf-8", "replace").splitlines()
        refused = [line for line in lines if line.startswith(_refusal)]
        return refused or [line for line in lines if '"level":"info"' not in line][-3:]
    return []


def _unavailable(message: str) -> CacheServiceError:
    return CacheServiceError("UNAVAILABLE", None, message)
