"""One call to the daemon, made by a thread of this process where it can start no Python."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from compilecache._caller.program import make_call

if TYPE_CHECKING:
    from compilecache._rpc.client import CacheClient


# gRPC works in the process that first used it, and hangs in those that it forks.
_first_in: int | None = None


class CallerThread:
    """What `_caller.program` does, over a socket; it ends with the socket's other end."""

    def __init__(self, connection: socket.socket) -> None:
        """Start the thread, which owns the socket. Raises OSError where gRPC would hang."""
        global _first_in
        if _first_in not in (None, os.getpid()):
            raise OSError(
                "it knows no Python to start, and the process that it was forked from has made a "
                "call by itself; make none before the fork"
            )
        _first_in = os.getpid()
        self._socket = connection
        self._client: CacheClient | None = None
        self._caller_left = False
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="compilecache call", daemon=True).start()

    def kill(self) -> None:
        """End the call, as the end of a process does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def wait(self, timeout: float) -> None:
        """Do nothing: a thread leaves nothing that has to be waited for."""

    def _run(self) -> None:
        reader = self._socket.makefile("rb")
        with self._socket, reader:
            line = reader.readline()
            if line:
                threading.Thread(
                    target=self._end_with_the_caller, args=(reader,), daemon=True
                ).start()
                make_call(json.loads(line), self._write, self._keep)
            self.kill()
        if self._client:
            self._client.close()

    def _write(self, line: dict[str, Any]) -> None:
        # The caller may have left.
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(line).encode() + b"\n")

    def _keep(self, client: CacheClient) -> None:
        with self._lock:
            self._client = client
            left = self._caller_left
        if left:
            client.close()

    def _end_with_the_caller(self, reader: Any) -> None:  # noqa: ANN401 - it has several types
        with contextlib.suppress(OSError, ValueError):
            reader.read()
        with self._lock:
            self._caller_left = True
            client = self._client
        if client:
            client.close()
