"""One call to the daemon, made in this process by the Connect protocol."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from compilecache._caller.connect_client import ConnectClient
from compilecache._caller.connect_operations import Answer, Call, operations
from compilecache.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class ConnectCall:
    """What `_caller.process.CallerProcess` is, by the thread that waits for its answers."""

    def __init__(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        path: str,
        environment: Environment | None,
        *,
        watch: bool,
    ) -> None:
        """Take the call; it starts when it is waited for."""
        self._client = ConnectClient(path)
        call = Call(self._client, environment or Environment(""), arguments, watch)
        self._operation, self._call = operation, call
        self._answers: Iterator[Answer] | None = None

    def next_answer(self, seconds: float) -> dict[str, Any] | None:
        """Wait for the next answer; None means that there are no more.

        Raises CacheServiceError: what the call ended in, or DEADLINE_EXCEEDED after `seconds`; and
        NotHttpError, the first time, where none can be made so.
        """
        self._client.deadline = time.monotonic() + seconds
        if self._answers is None:
            self._answers = operations[self._operation](self._call)
        answer = next(self._answers, None)
        return None if answer is None else asdict(answer)

    def kill(self) -> None:
        """End the call, from any thread: `next_answer` then raises UNAVAILABLE."""
        self._client.end()

    def stop(self) -> None:
        """End the call, if it runs; the daemon notices."""
        self._client.close()
