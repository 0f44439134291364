"""Starts processes one after the other, and passes signals on to the one that matters.

It reaps all children, also adopted ones, so that it may be the first process of a container.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from compilecache._base.python_environment import python_environment
from compilecache._base.python_process import python_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_passed_on = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGCONT,
}
_ending = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
# Python ignores these, and what it starts would, too.
_reset = [signal.SIGPIPE, signal.SIGXFSZ]
_from_terminal = 128
"""`si_code` of a signal that the kernel sent to the whole foreground group."""

# Of the 10 s after which container runtimes kill, as a rule; of another grace time, as much of it.
_usual_grace_seconds = 10.0
_command_seconds_after_term = 6.5
_seconds_after_term = 8.5


class Supervisor:
    """The signals of this process, and its children."""

    def __init__(self, grace_seconds: float = _usual_grace_seconds) -> None:
        """Take the signals over. This process must have one thread only.

        `grace_seconds` after a SIGTERM it is killed.
        """
        self._share = grace_seconds / _usual_grace_seconds
        self.was_told_to_end = False
        """Whether a signal came that ends a process."""
        # A process that ignores this gets no exit codes, and a parent's setting is inherited.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._watched = {*_passed_on, signal.SIGCHLD}
        self._mask_before: Iterable[int] = signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)
        self._exit_codes: dict[int, int] = {}
        self._terminated_at: float | None = None
        self.ended_by: int | None = None
        """The signal that ended a helper, after which nothing new is to start."""

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start the command and return its process id. Raises OSError."""
        return os.posix_spawnp(
            command[0], list(command), environment, setsigmask=self._mask_before, setsigdef=_reset
        )

    def start_helper(self, module: str, *arguments: str) -> int:
        """Start `main` of a module; what it prints goes to stderr. Raises OSError."""
        command = python_command(module, *arguments)
        return os.posix_spawn(
            command[0],
            command,
            python_environment(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, 2, 1),
            ],
            setsigmask=self._mask_before,
            setsigdef=_reset,
        )

    def wait_for_command(self, pid: int) -> int:
        """Return its exit code, 128 and the number for a signal; signals are passed on to it.

        After a SIGTERM it has 6.5 s of 10.
        """
        while True:
            code = self._exit_code(pid)
            if code is not None:
                return code
            remaining = self._remaining(_command_seconds_after_term)
            if remaining is not None and remaining <= 0:
                os.kill(pid, signal.SIGKILL)
                remaining = None
            received = self._receive(remaining)
            # A terminal has told the command already.
            if received and received.si_code != _from_terminal:
                self._send(pid, received.si_signo)

    def wait_for_helper(self, pid: int, seconds: float) -> None:
        """Wait for a helper until its time is up, or a signal says to end, then kill it."""
        deadline = time.monotonic() + seconds
        while self._exit_code(pid) is None:
            remaining = deadline - time.monotonic()
            after_term = self._remaining(_seconds_after_term)
            if after_term is not None:
                remaining = min(remaining, after_term)
            if remaining <= 0:
                self._send(pid, signal.SIGKILL)
                remaining = 1
            received = self._receive(remaining)
            if received and received.si_signo in _ending:
                self.ended_by = received.si_signo
                self._send(pid, signal.SIGKILL)

    def end_helper(self, pid: int, seconds: float) -> None:
        """Tell a helper that nothing is to wait for, and wait until it has done what it is at."""
        if self._exit_code(pid) is None:
            self._send(pid, signal.SIGTERM)
        self.wait_for_helper(pid, seconds)

    def was_waiting(self, pid: int) -> bool:
        """Return whether a helper that has ended had nothing to do yet when it was told to end."""
        return self._exit_code(pid) == 128 + signal.SIGTERM

    def seconds_left(self) -> float | None:
        """Return how long this process may go on after a SIGTERM; None where there was none."""
        return self._remaining(_seconds_after_term)

    def _remaining(self, seconds: float) -> float | None:
        if self._terminated_at is None:
            return None
        return self._terminated_at + seconds * self._share - time.monotonic()

    def _receive(self, seconds: float | None) -> signal.struct_siginfo | None:
        """Wait for a signal that is of interest, or for a child's end."""
        received = (
            signal.sigwaitinfo(self._watched)
            if seconds is None
            else signal.sigtimedwait(self._watched, max(seconds, 0))
        )
        if received is None or received.si_signo == signal.SIGCHLD:
            return None
        self.was_told_to_end = self.was_told_to_end or received.si_signo in _ending
        if received.si_signo == signal.SIGTERM and self._terminated_at is None:
            self._terminated_at = time.monotonic()
        return received

    def _exit_code(self, pid: int) -> int | None:
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if ended == 0:
                break
            code = os.waitstatus_to_exitcode(status)
            self._exit_codes[ended] = code if code >= 0 else 128 - code
        return self._exit_codes.get(pid)

    def _send(self, pid: int, signal_number: int) -> None:
        if self._exit_code(pid) is None:
            os.kill(pid, signal_number)
