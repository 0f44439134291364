"""Calls to the daemon, none of which brings gRPC into this process.

A model may fork, and gRPC does not outlive that. At a socket the daemon speaks the Connect protocol
too, which this process speaks without gRPC, in a millisecond. Elsewhere, and with a daemon that is
too old for it, a process of its own makes the call.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from compilecache._caller.connect_call import ConnectCall
from compilecache._caller.http_exchange import NoDaemonError, NotHttpError
from compilecache._caller.process import CallerProcess
from compilecache._daemon.address import listens
from compilecache._rpc.address import parse_address
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compilecache.environment import Environment

_socket_prefix = "unix:"
# Sockets where a daemon is too old, as it has shown.
_without_connect: set[str] = set()


class DaemonCall:
    """One call to the daemon at `address`; stop it when done.

    Raises CacheServiceError UNAVAILABLE when no process can be started where one is needed.
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
        """Make the call; the operations are those of `_caller.operations`.

        With `watch` a load or save tells of its progress before it gives its answer.
        """
        self._what = (operation, arguments, address, environment)
        self._watch = watch
        self._lock = Lock()
        self._killed = False
        self._call: ConnectCall | CallerProcess
        address = parse_address(address)
        if address.startswith(_socket_prefix) and address not in _without_connect:
            path = address[len(_socket_prefix) :]
            self._call = ConnectCall(operation, arguments, path, environment, watch=watch)
        else:
            self._call = self._process()

    def next_answer(self, seconds: float) -> dict[str, Any] | None:
        """Wait for the next answer; None means that there are no more.

        Raises CacheServiceError: what the call ended in, or DEADLINE_EXCEEDED after `seconds`.
        """
        deadline = time.monotonic() + seconds
        try:
            return self._call.next_answer(seconds)
        except NotHttpError as error:
            self._call.stop()
            address = parse_address(self._what[2])
            path = address[len(_socket_prefix) :]
            if error.is_certain:
                _without_connect.add(address)
            elif not listens(Path(path)):
                raise NoDaemonError(path, "it has ended") from error
            with self._lock:
                if self._killed:
                    raise CacheServiceError("UNAVAILABLE", None, "the call was ended") from error
                self._call = self._process()
        return self._call.next_answer(deadline - time.monotonic())

    def kill(self) -> None:
        """End the call, from any thread: `next_answer` then raises UNAVAILABLE."""
        with self._lock:
            self._killed = True
            self._call.kill()

    def stop(self) -> None:
        """End the call, if it runs; the daemon notices."""
        self._call.stop()

    def __enter__(self) -> DaemonCall:
        """Return the call."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the call."""
        self.stop()

    def _process(self) -> CallerProcess:
        return CallerProcess(*self._what, watch=self._watch)


def was_not_taken(error: CacheServiceError) -> bool:
    """Return whether a call ended so because its daemon ends, or had ended, when it came."""
    return isinstance(error, NoDaemonError) or error.reason == "SHUTTING_DOWN"


def ask(
    operation: str,
    arguments: Mapping[str, Any],
    address: str,
    seconds: float,
    environment: Environment | None = None,
) -> list[dict[str, Any]]:
    """Make a call and return all its answers. Raises CacheServiceError."""
    answers: list[dict[str, Any]] = []
    with DaemonCall(operation, arguments, address, environment) as call:
        while True:
            answer = call.next_answer(seconds)
            if answer is None:
                return answers
            answers.append(answer)
