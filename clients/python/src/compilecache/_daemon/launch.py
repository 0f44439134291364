"""Starts a process that becomes the daemon, and is no child of this one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
from typing import TYPE_CHECKING

from compilecache._base.forks import no_fork
from compilecache._daemon.daemon_environment import daemon_environment

if TYPE_CHECKING:
    from compilecache._daemon.own_daemon import OwnDaemonFiles

# It leaves the command to itself, with all descriptors, in a session of its own. A shell starts
# much sooner than a Node, and the model's program may be no Python that can be started.
_shell = "/bin/sh"
_shell_script = 'exec "$@" &'
# For images that hold no shell. Which descriptors are the log, the pipe of life and the lock, then
# the command.
_node_script = """
const [log, life, lock, program, ...words] = process.argv.slice(1);
const stdio = ["ignore", +log, +log, +life, +lock];
require("node:child_process").spawn(program, words, { detached: true, stdio }).unref();
"""
_seconds_to_end = 5.0
_most_previous_bytes = 1024 * 1024


class LaunchedDaemon:
    """A daemon that this process has started. Close it once it answers."""

    def __init__(self, launcher: subprocess.Popen[bytes], life: int) -> None:
        """Take the process that starts it, and the end of its pipe."""
        self._launcher = launcher
        self._life = life

    def has_ended(self) -> bool:
        """Whether it has ended, or was never started: nobody holds the other end of the pipe."""
        try:
            return os.read(self._life, 1) == b""
        except BlockingIOError:
            return False

    def __enter__(self) -> LaunchedDaemon:
        """Return it."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave it to itself."""
        os.close(self._life)
        # It has ended by itself, unless it hangs; then the daemon was not started.
        try:
            self._launcher.wait(0 if exc_info[0] else _seconds_to_end)
        except subprocess.TimeoutExpired:
            self._launcher.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._launcher.wait(_seconds_to_end)


def launch(files: OwnDaemonFiles, command: list[str]) -> LaunchedDaemon | None:
    """Start the daemon by a command; None where there is one already. Raises OSError.

    It holds a lock as long as it lives; the kernel frees it, also when the daemon is killed. So
    there is exactly one, however many processes ask for it.
    """
    with contextlib.ExitStack() as opened, no_fork():

        def keep(descriptor: int) -> int:
            kept = _above_standard(descriptor)
            opened.callback(os.close, kept)
            return kept

        lock = keep(os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return None
            raise
        with contextlib.suppress(FileNotFoundError):
            files.socket.unlink()
        _keep_previous_log(files)
        log = keep(os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600))
        read_end, write_end = os.pipe()
        life = keep(write_end)
        read_end = _above_standard(read_end)
        os.set_blocking(read_end, False)
        try:
            launcher = subprocess.Popen(
                _launching(command, log, life, lock),
                env={**daemon_environment(), **_own_variables(files)},
                start_new_session=True,
                # A working directory holds its mount.
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(log, life, lock),
            )
        except BaseException:
            os.close(read_end)
            raise
        return LaunchedDaemon(launcher, read_end)


def _keep_previous_log(files: OwnDaemonFiles) -> None:
    """Copy the end of what the last daemon wrote, which may tell why it is gone.

    The file itself stays, for whoever follows it.
    """
    with contextlib.suppress(OSError), files.log.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(size - _most_previous_bytes, 0))
        if not size:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(files.previous_log, flags, 0o600), "wb") as kept:
            kept.write(log.read())


def _launching(command: list[str], log: int, life: int, lock: int) -> list[str]:
    if os.access(_shell, os.X_OK):
        return [_shell, "-c", _shell_script, "sh", *command]
    return [command[0], "-e", _node_script, "--", str(log), str(life), str(lock), *command]


def _own_variables(files: OwnDaemonFiles) -> dict[str, str]:
    return {
        "COMPILE_CACHE_STARTED_BY": f"Python, process {os.getpid()}",
        # What Node has compiled, for the next start; elsewhere others could have put code.
        "NODE_COMPILE_CACHE": str(files.directory / "compiled"),
    }


def _above_standard(descriptor: int) -> int:
    """Return a descriptor that is none of a process's first three, which may be closed here."""
    if descriptor > 2:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return moved
