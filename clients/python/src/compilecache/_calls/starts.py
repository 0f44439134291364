"""Starts of background transfers that the daemon has not accepted yet."""

from __future__ import annotations

import atexit
import concurrent.futures
from threading import Lock
from typing import TYPE_CHECKING, Any

from compilecache._base.deadlines import SHORT_CALL_SECONDS
from compilecache._base.forks import in_child_of_fork

if TYPE_CHECKING:
    from concurrent.futures import Future


class _Starts:
    """A set that threads may share."""

    def __init__(self) -> None:
        self.forget()

    def add(self, settled: Future[Any]) -> None:
        """Have the end of this process wait for one."""
        with self._lock:
            self._futures.add(settled)

    def discard(self, settled: Future[Any]) -> None:
        """Wait for it no longer."""
        with self._lock:
            self._futures.discard(settled)

    def wait(self) -> None:
        """Wait for all, but not for ever."""
        with self._lock:
            waiting = set(self._futures)
        concurrent.futures.wait(waiting, SHORT_CALL_SECONDS)

    def forget(self) -> None:
        """Start empty."""
        self._lock = Lock()
        self._futures: set[Future[Any]] = set()


starts_under_way = _Starts()
"""The process waits for them when it ends: a transfer that is accepted goes on without it."""

atexit.register(starts_under_way.wait)
# The child of a fork has no threads that make them.
in_child_of_fork(starts_under_way.forget)
