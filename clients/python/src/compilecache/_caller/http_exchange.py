"""One request of HTTP/1.1 over a Unix socket, and what comes back.

Python's own client cannot be used: it takes the first of several responses for the last, and what
it imports takes longer than a call.
"""

from __future__ import annotations

import contextlib
import math
import socket
import time
from typing import TYPE_CHECKING, Callable

from compilecache._daemon.address import advice
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

_begin = b"HTTP/1."
_most_head_bytes = 64 * 1024
_busy_pause_seconds = 0.01


class NotHttpError(Exception):
    """What answers at a socket does not speak HTTP/1.1, or says nothing."""

    def __init__(self, *, is_certain: bool) -> None:
        """Say whether it has said something else; it may also have ended."""
        super().__init__()
        self.is_certain = is_certain


class NoDaemonError(CacheServiceError):
    """No daemon has taken the call: none listens there, or it has ended before it answered."""

    def __init__(self, path: str, why: str) -> None:
        """Name the socket, and say why."""
        address = f"unix:{path}"
        told = f"no daemon answers at {address}: {why}{advice(address)}"
        super().__init__("UNAVAILABLE", None, told)


class HttpExchange:
    """A connection for one request. `deadline` is when to give up, by `time.monotonic`."""

    def __init__(self, path: str, deadline: Callable[[], float]) -> None:
        """Make a socket, and do not connect yet."""
        self._path = path
        self._deadline = deadline
        self._buffer = b""
        self._ended = False
        self._socket = socket.socket(socket.AF_UNIX)

    def send(self, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Connect, and send a POST. Raises CacheServiceError UNAVAILABLE, or DEADLINE_EXCEEDED."""
        self._connect()
        lines = [f"POST {target} HTTP/1.1", "host: compilecache", "connection: close"]
        lines.extend(f"{name}: {value}" for name, value in headers.items())
        head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""])
        # It may have answered before it has read all, and what it says counts.
        with self._within_deadline(), contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(head.encode("latin-1") + body)

    def read_head(self) -> tuple[int, dict[str, str]]:
        """Wait for a response's status and headers; a status below 200 has another after it."""
        self._require_http()
        words = self._read_until(b"\n").split()
        if len(words) < 2 or not words[1].isdigit():
            raise _broken()
        headers: dict[str, str] = {}
        total = 0
        while True:
            line = self._read_until(b"\n")
            total += len(line)
            if total > _most_head_bytes:
                raise _broken()
            text = line.decode("latin-1").strip()
            if not text:
                return int(words[1]), headers
            name, _, value = text.partition(":")
            headers[name.strip().lower()] = value.strip()

    def body_pieces(self, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the body of the response with these headers, as it comes."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                size = self._chunk_size()
                if size == 0:
                    return
                yield from self._pieces(size)
                self._read_until(b"\n")
        length = headers.get("content-length", "")
        if not length.isdigit():
            raise _broken()
        yield from self._pieces(int(length))

    def shut_down(self) -> None:
        """End the connection, from any thread: who reads learns of it."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this process's end, and leave alone what a fork shares with its parent."""
        self._ended = True
        self._socket.close()

    def _connect(self) -> None:
        while True:
            try:
                with self._within_deadline():
                    self._socket.connect(self._path)
                break
            # So many wait already that there is no place to wait.
            except BlockingIOError as error:
                if time.monotonic() > self._deadline():
                    raise self._no_daemon(str(error)) from error
                time.sleep(_busy_pause_seconds)
            except PermissionError as error:
                raise self._no_daemon(
                    "only the user and the group of this socket may connect, and this process is "
                    f"neither ({error})"
                ) from error
            # Also a name that no socket can have.
            except (OSError, ValueError) as error:
                raise self._no_daemon(str(error)) from error
        if self._ended:
            raise _call_ended()

    def _no_daemon(self, why: str) -> CacheServiceError:
        return NoDaemonError(self._path, why)

    @contextlib.contextmanager
    def _within_deadline(self) -> Generator[None, None, None]:
        started, deadline = time.monotonic(), self._deadline()
        left = deadline - started
        try:
            self._socket.settimeout(None if math.isinf(left) else max(left, 0.001))
            yield
        except socket.timeout as error:
            raise CacheServiceError(
                "DEADLINE_EXCEEDED", None, f"no answer within {left:.0f} s"
            ) from error

    def _require_http(self) -> None:
        while len(self._buffer) < len(_begin):
            if not _begin.startswith(self._buffer):
                break
            try:
                self._receive()
            except CacheServiceError as error:
                if self._ended or error.code != "UNAVAILABLE":
                    raise
                raise NotHttpError(is_certain=False) from error
        if not self._buffer.startswith(_begin):
            raise NotHttpError(is_certain=True)

    def _receive(self) -> None:
        received = b""
        if not self._ended:
            try:
                with self._within_deadline():
                    received = self._socket.recv(65536)
            except OSError:
                pass
        if not received:
            raise _call_ended()
        self._buffer += received

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            if len(self._buffer) > _most_head_bytes:
                raise _broken()
            self._receive()
        line, found, self._buffer = self._buffer.partition(end)
        return line + found

    def _chunk_size(self) -> int:
        try:
            return int(self._read_until(b"\n").partition(b";")[0], 16)
        except ValueError:
            raise _broken() from None

    def _pieces(self, count: int) -> Iterator[bytes]:
        while count > 0:
            if not self._buffer:
                self._receive()
            piece, self._buffer = self._buffer[:count], self._buffer[count:]
            count -= len(piece)
            yield piece


def _broken() -> CacheServiceError:
    return CacheServiceError("INTERNAL", None, "the daemon's answer is no answer of HTTP")


def _call_ended() -> CacheServiceError:
    return CacheServiceError("UNAVAILABLE", None, "the daemon has ended the call, or itself")
