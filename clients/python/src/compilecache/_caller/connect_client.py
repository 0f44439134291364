"""Calls by the Connect protocol (https://connectrpc.com/docs/protocol), in JSON over a socket."""

from __future__ import annotations

import contextlib
import json
import math
import os
import weakref
from typing import TYPE_CHECKING, Any, Callable, cast

from compilecache._base.forks import in_child_of_fork, no_fork
from compilecache._caller.connect_errors import error_of_answer
from compilecache._caller.http_exchange import HttpExchange
from compilecache._rpc.address import parse_token
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_service = "/compilecache.v1.CacheService/"
_operation_id_header = "compilecache-operation-id"
_envelope_bytes = 5
_last_of_stream = 2
# How often a directory is looked at that other processes replace.
_most_attempts = 3

_open: weakref.WeakSet[HttpExchange] = weakref.WeakSet()


class SentCall:
    """A call with one answer that was sent."""

    def __init__(self, exchange: HttpExchange) -> None:
        """Wait until it has started, or has its answer. Raises CacheServiceError."""
        self.operation_id: str | None = None
        """The transfer that it waits for, where there is one."""
        self._exchange = exchange
        while True:
            self._status, self._headers = exchange.read_head()
            self.operation_id = self._headers.get(_operation_id_header)
            if self._status >= 200 or self.operation_id:
                break
        if self._status >= 300:
            self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for the answer. Raises CacheServiceError."""
        while self._status < 200:
            self._status, self._headers = self._exchange.read_head()
        body = _parsed(b"".join(self._exchange.body_pieces(self._headers)))
        self._exchange.close()
        if self._status == 200:
            return body
        raise error_of_answer(body)


class ConnectClient:
    """Makes calls at a socket, each by a connection of its own. It is for one thread at a time."""

    def __init__(self, path: str) -> None:
        """Connect with each call. Raises CacheServiceError for a token that no call can carry."""
        self._path = path
        self._exchanges: list[HttpExchange] = []
        self._ended = False
        self.deadline = math.inf
        """When answers are late, by `time.monotonic`."""
        token = parse_token(os.environ.get("COMPILE_CACHE_TOKEN", ""))
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Make a call, and return its answer. Raises CacheServiceError."""
        return self.start(method, request).answer()

    def start(
        self, method: str, request: dict[str, Any], timeout_seconds: float | None = None
    ) -> SentCall:
        """Make a call that may wait for a transfer. Raises CacheServiceError."""
        headers = {"content-type": "application/json", "connect-protocol-version": "1"}
        if timeout_seconds is not None and math.isfinite(timeout_seconds):
            # Ten digits are allowed.
            milliseconds = min(math.ceil(timeout_seconds * 1000), 9_999_999_999)
            headers["connect-timeout-ms"] = str(max(milliseconds, 1))
        return SentCall(self._send(method, headers, json.dumps(request).encode()))

    def as_seen(
        self, make: Callable[[], dict[str, Any]], send: Callable[[dict[str, Any]], Any]
    ) -> Any:  # noqa: ANN401 - what `send` returns
        """Make a call that says which directories this process sees, and again if these change."""
        request = make()
        for _ in range(1, _most_attempts):
            try:
                return send(request)
            except CacheServiceError as error:
                before, request = request, make()
                if error.reason != "PATH_NOT_ALLOWED" or request == before:
                    raise
        return send(request)

    def stream(self, method: str, request: dict[str, Any]) -> MessageStream:
        """Make a call with a stream of answers."""
        headers = {"content-type": "application/connect+json", "connect-protocol-version": "1"}
        message = json.dumps(request).encode()
        body = bytes(1) + len(message).to_bytes(4, "big") + message
        return MessageStream(self._send(method, headers, body))

    def end(self) -> None:
        """End all calls, from any thread."""
        self._ended = True
        for exchange in self._exchanges:
            exchange.shut_down()

    def close(self) -> None:
        """End all calls, and close their connections."""
        self.end()
        for exchange in self._exchanges:
            exchange.close()

    def _send(self, method: str, headers: dict[str, str], body: bytes) -> HttpExchange:
        try:
            with no_fork():
                exchange = HttpExchange(self._path, lambda: self.deadline)
                _open.add(exchange)
        except OSError as error:
            message = f"no connection can be made: {error}"
            raise CacheServiceError("UNAVAILABLE", None, message) from error
        self._exchanges.append(exchange)
        # It may have ended in between.
        if self._ended:
            exchange.shut_down()
        exchange.send(_service + method, {**headers, **self._headers}, body)
        return exchange


class MessageStream:
    """The messages of a stream, as they come. Raises CacheServiceError for what it ends in."""

    def __init__(self, exchange: HttpExchange) -> None:
        """Read from a call that was sent."""
        self._exchange = exchange

    def cancel(self) -> None:
        """End it, from any thread."""
        self._exchange.shut_down()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each message."""
        status, headers = self._exchange.read_head()
        while status < 200:
            status, headers = self._exchange.read_head()
        pieces = self._exchange.body_pieces(headers)
        if status != 200:
            raise error_of_answer(_parsed(b"".join(pieces)))
        buffer = b""
        for piece in pieces:
            buffer += piece
            while len(buffer) >= _envelope_bytes:
                end = _envelope_bytes + int.from_bytes(buffer[1:_envelope_bytes], "big")
                if len(buffer) < end:
                    break
                flags, message = buffer[0], _parsed(buffer[_envelope_bytes:end])
                buffer = buffer[end:]
                if not flags & _last_of_stream:
                    yield message
                elif message.get("error"):
                    raise error_of_answer(message["error"])
                else:
                    self._exchange.close()
                    return
        raise CacheServiceError("UNAVAILABLE", None, "the daemon's answer has no end")


def _parsed(text: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found: Any = json.loads(text)
        if isinstance(found, dict):
            return cast("dict[str, Any]", found)
    raise CacheServiceError("INTERNAL", None, "the daemon's answer is no message in JSON")


def _leave_all_to_parent() -> None:
    for exchange in list(_open):
        exchange.close()
    _open.clear()


in_child_of_fork(_leave_all_to_parent)
