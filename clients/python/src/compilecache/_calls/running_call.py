"""A load or a save under way."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from compilecache._base.answers import TransferState
from compilecache._base.background import start_in_background
from compilecache._caller.call import DaemonCall
from compilecache.exceptions import CacheServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compilecache._calls.display import ProgressDisplay
    from compilecache._calls.request import CacheRequest
    from compilecache.environment import Environment


class RunningCall:
    """A load or a save, which ends at its deadline at the latest.

    It runs in the background. When it is stopped, or its time is up, the daemon stops the transfer
    too, unless others wait for the same one.
    """

    def __init__(
        self,
        operation: str,
        request: CacheRequest,
        seconds: float,
        policy: Mapping[str, str],
        display: ProgressDisplay | None = None,
    ) -> None:
        """Start `operation`, "load" or "save", and return at once."""
        self.request = request
        self.policy = policy
        self.environment: Environment | None = None
        """The environment, as soon as it is found."""
        self.ended_at = 0.0
        """When the transfer had ended, in seconds since 1970."""
        self._operation = operation
        self._display = display
        self._deadline = time.monotonic() + seconds
        self._lock = Lock()
        self._call: DaemonCall | None = None
        self._stopped = False
        self._result = start_in_background(self._run)

    def wait(self, seconds: float) -> TransferState:
        """Return the transfer when it has ended; after `seconds`, stop it.

        Raises CacheServiceError: what the call ended in, or DEADLINE_EXCEEDED; and
        CacheValidationError where no environment is found.
        """
        remaining = self._deadline - time.monotonic()
        try:
            return self._result.result(max(min(seconds, remaining), 0))
        except FutureTimeoutError:
            self._stop()
            raise _time_is_up() from None

    def _run(self) -> TransferState:
        self.environment = self.request.environment()
        # `address` may start a daemon, which would be useless when time is up.
        self._seconds_left()
        return self.request.at_daemon(self._run_at)

    def _run_at(self, address: str) -> TransferState:
        seconds = self._seconds_left()
        arguments: dict[str, Any] = {"detach": False, "timeout_seconds": seconds, **self.policy}
        arguments.update(self.request.arguments())
        call = DaemonCall(
            self._operation, arguments, address, self.environment, watch=self._display is not None
        )
        with call:
            with self._lock:
                self._call = call
                if self._stopped:
                    call.kill()
            return self._last_of(call)

    def _seconds_left(self) -> float:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0 or self._stopped:
            raise _time_is_up()
        return seconds

    def _last_of(self, call: DaemonCall) -> TransferState:
        state = None
        while True:
            answer = call.next_answer(self._deadline - time.monotonic())
            if answer is None:
                break
            self.ended_at = time.time()
            state = TransferState.from_json(answer)
            if self._display:
                # A bar that fails must not end the call.
                with suppress(Exception):
                    self._display.show(state)
        if state is None:
            raise CacheServiceError("INTERNAL", None, "the daemon did not answer")
        return state

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._call:
                self._call.kill()


def _time_is_up() -> CacheServiceError:
    return CacheServiceError("DEADLINE_EXCEEDED", None, "its time is up")
