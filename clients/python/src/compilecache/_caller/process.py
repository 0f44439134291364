"""Calls to the daemon by gRPC, each made by a short-lived process of its own.

This keeps gRPC out of the model's process. A model may fork, and then the child would share an open
connection, and a call under way would break in both. A call that takes too long is ended by killing
its process. While the model imports torch, the work is on another core. Only where no Python can be
started, in a program that is packed with its own, does a thread make the call.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import weakref
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from compilecache._base.find_python import NoPythonError
from compilecache._base.forks import in_child_of_fork, no_fork
from compilecache._base.python_process import python_command, start_python
from compilecache._caller.thread import CallerThread
from compilecache.environment import Environment
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_living: weakref.WeakSet[CallerProcess] = weakref.WeakSet()


class CallerProcess:
    """One call to the daemon at `address`; stop it when done.

    Raises CacheServiceError UNAVAILABLE when no process can be started.
    """

    def __init__(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        address: str,
        environment: Environment | None = None,
        *,
        watch: bool = False,
    ) -> None:
        """Start the call; the operations are those of `_caller.operations`.

        With `watch` a load or save tells of its progress before it gives its answer.
        """
        self._buffer = b""
        self._process: subprocess.Popen[bytes] | CallerThread
        try:
            self._socket, self._process = _start_caller()
        except OSError as error:
            raise CacheServiceError(
                "UNAVAILABLE", None, f"a Python process cannot be started: {error}"
            ) from error
        _living.add(self)
        call = {
            "address": address,
            "operation": operation,
            "arguments": arguments,
            "environment": asdict(environment or Environment("")),
            "watch": watch,
        }
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(call).encode() + b"\n")

    def next_answer(self, seconds: float) -> dict[str, Any] | None:
        """Wait for the next answer; None means that there are no more.

        Raises CacheServiceError: what the call ended in, or DEADLINE_EXCEEDED after `seconds`.
        """
        line = json.loads(self._read_line(seconds))
        if "error" in line:
            code, reason, message = line["error"]
            raise CacheServiceError(code, reason, message)
        answer: dict[str, Any] | None = line.get("answer")
        return answer

    def kill(self) -> None:
        """End the call, from any thread: `next_answer` then raises UNAVAILABLE."""
        self._process.kill()

    def stop(self) -> None:
        """End the call, if it runs; the daemon notices."""
        self._socket.close()
        self._process.kill()
        # A process can be stuck in the kernel; do not wait for it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)

    def leave_to_parent(self) -> None:
        """Close a call that belongs to the process that forked this one."""
        self._socket.close()

    def __enter__(self) -> CallerProcess:
        """Return the call."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the call."""
        self.stop()

    def _read_line(self, seconds: float) -> bytes:
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(seconds, 0.001))
            try:
                received = self._socket.recv(65536)
            except socket.timeout as error:
                raise CacheServiceError(
                    "DEADLINE_EXCEEDED", None, f"no answer within {seconds:.0f} s"
                ) from error
            except OSError:
                received = b""
            if not received:
                raise CacheServiceError("UNAVAILABLE", None, "the calling process has ended")
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _start_caller() -> tuple[socket.socket, subprocess.Popen[bytes] | CallerThread]:
    """Start what makes a call, and return this end of its connection."""
    try:
        command = python_command("compilecache._caller.program")
    except NoPythonError:
        ours, theirs = socket.socketpair()
        try:
            return ours, CallerThread(theirs)
        except BaseException:
            ours.close()
            theirs.close()
            raise
    with no_fork():
        ours, theirs = socket.socketpair()
        try:
            return ours, start_python(command, theirs.fileno(), theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()


def _leave_all_to_parent() -> None:
    for call in list(_living):
        call.leave_to_parent()
    _living.clear()


in_child_of_fork(_leave_all_to_parent)
