"""Transfers that the daemon runs, followed from here."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Callable

from compilecache._base.answers import TransferState
from compilecache._base.background import start_in_background
from compilecache._base.deadlines import SHORT_CALL_SECONDS
from compilecache._caller.call import DaemonCall, ask
from compilecache._calls.starts import starts_under_way
from compilecache._calls.tracked import TrackedTransfer, new_local_id, tracked_transfers
from compilecache.exceptions import CacheServiceError
from compilecache.logger import logger
from compilecache.statuses import AsyncTransferStatus, LoadStatus, SaveStatus
from compilecache.transfer_progress import ProgressCallback, TransferProgress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from compilecache.environment import Environment

# The daemon says something at least every 15 s.
_longest_silence_seconds = 35.0
# A daemon that is started again is there sooner, and then does not know the transfer.
_longest_absence_seconds = 20.0
_pause_seconds = 0.25
# A daemon stops a transfer within one.
_cancel_seconds = 5.0

WhenEnded = Callable[[TransferState], object]


def follow_daemon_transfer(operation_id: str, address: str) -> TrackedTransfer:
    """Follow a transfer that another process started. Raises CacheServiceError."""
    states = _states("watch", {"operation_id": operation_id}, address, None)
    first = next(states)
    progress = TransferProgress(operation_id, first.operation_name, AsyncTransferStatus.NOT_STARTED)
    progress.daemon_operation_id = operation_id
    transfer = TrackedTransfer(progress, partial(_cancel, operation_id, address))
    tracked = tracked_transfers.add(transfer)
    if tracked is transfer:
        start_in_background(partial(_follow, transfer, chain([first], states), None))
    else:
        # Another thread has asked for it meanwhile.
        states.close()
    return tracked


def start_daemon_transfer(
    name: str,
    start: Callable[[], StartedTransfer],
    callback: ProgressCallback | None = None,
    when_ended: WhenEnded | None = None,
) -> TrackedTransfer:
    """Start a transfer in the background, and follow it there. Returns at once, and never raises.

    It has an id of this process from the first moment, and the daemon's once that has accepted it.
    """
    transfer = _StartingTransfer(name, when_ended)
    transfer.tracked.add_callback(callback)
    tracked_transfers.add(transfer.tracked)
    transfer.run(start)
    return transfer.tracked


@dataclass(frozen=True)
class StartedTransfer:
    """A transfer that the daemon has accepted."""

    first: TransferState
    states: Generator[TransferState, None, None]
    """Those that follow."""
    address: str

    def cancel(self) -> None:
        """Stop it. Raises CacheServiceError."""
        _cancel(self.first.operation_id, self.address)


def request_transfer(
    operation: str, arguments: dict[str, Any], address: str, environment: Environment | None = None
) -> StartedTransfer:
    """Ask the daemon for a transfer, by an operation of `_caller.operations`.

    Returns when it has accepted it. Raises CacheServiceError when it does not.
    """
    states = _states(operation, arguments, address, environment)
    return StartedTransfer(next(states), states, address)


class _StartingTransfer:
    """A transfer that may not have been accepted yet, and can be cancelled all the same."""

    def __init__(self, name: str, when_ended: WhenEnded | None) -> None:
        progress = TransferProgress(new_local_id(), name, AsyncTransferStatus.NOT_STARTED)
        self.tracked = TrackedTransfer(progress, self._cancel)
        self._when_ended = when_ended
        self._settled: Future[StartedTransfer] = Future()
        """What came of the start: it was accepted, it failed, or it was cancelled before."""

    def run(self, start: Callable[[], StartedTransfer]) -> None:
        starts_under_way.add(self._settled)
        self._settled.add_done_callback(starts_under_way.discard)
        start_in_background(partial(self._start, start))
        start_in_background(self._wait_and_follow)

    def _start(self, start: Callable[[], StartedTransfer]) -> None:
        try:
            started = start()
        except Exception as error:
            self._settle(partial(self._settled.set_exception, error))
            return
        if not self._settle(partial(self._settled.set_result, started)):
            started.states.close()
            # Nobody waits for what was cancelled, or came too late.
            with suppress(CacheServiceError):
                started.cancel()

    def _wait_and_follow(self) -> None:
        try:
            started = self._settled.result(SHORT_CALL_SECONDS)
        except FutureTimeoutError:
            late = CacheServiceError("DEADLINE_EXCEEDED", None, "its time is up")
            self._settle(partial(self._settled.set_exception, late))
            self._wait_and_follow()
        except Exception as error:
            self._fail(error)
        else:
            progress = self.tracked.progress
            progress.daemon_operation_id = started.first.operation_id
            tracked_transfers.add_name(started.first.operation_id, self.tracked)
            _follow(self.tracked, chain([started.first], started.states), self._when_ended)

    def _fail(self, error: Exception) -> None:
        cancelled = isinstance(error, CacheServiceError) and error.code == "CANCELLED"
        status = AsyncTransferStatus.CANCELLED if cancelled else AsyncTransferStatus.ERROR
        level = logging.INFO if cancelled else logging.ERROR
        logger.log(level, "%s failed: %s", self.tracked.progress.operation_name, error)
        self.tracked.tell(lambda progress: progress.set_status(status, str(error)))

    def _cancel(self) -> None:
        cancelled = CacheServiceError("CANCELLED", None, "it was cancelled before it had started")
        if self._settle(partial(self._settled.set_exception, cancelled)):
            return
        # What has failed, ends by itself.
        if self._settled.exception() is None:
            self._settled.result().cancel()

    def _settle(self, settle: Callable[[], None]) -> bool:
        """Return whether this is what came of the start; something else may have come before."""
        try:
            settle()
        except InvalidStateError:
            return False
        return True


def _follow(
    transfer: TrackedTransfer, states: Iterable[TransferState], when_ended: WhenEnded | None
) -> None:
    try:
        for state in states:
            # Before the end is told: the one who waits for it may ask at once what came of it.
            if state.is_final and when_ended:
                when_ended(state)
            transfer.tell(partial(_apply, state))
    # Also a fault of this package: without an end, `wait` would never return.
    except Exception as error:
        reason = str(error) if isinstance(error, CacheServiceError) else repr(error)
        logger.error("%s is lost: %s", transfer.progress.operation_name, reason)
        transfer.tell(lambda progress: progress.set_status(AsyncTransferStatus.ERROR, reason))


def _apply(state: TransferState, progress: TransferProgress) -> None:
    """Take over what the daemon says."""
    progress.operation_name = state.operation_name
    progress.phase = state.phase.lower()
    progress.bytes_done, progress.bytes_total = state.bytes_done, state.bytes_total
    progress.files_done, progress.files_total = state.files_done, state.files_total
    progress.started_at = datetime.fromtimestamp(state.started_at)
    if state.outcome:
        statuses = LoadStatus if state.kind == "LOAD" else SaveStatus
        progress.outcome = statuses[state.outcome]
    progress.set_status(AsyncTransferStatus[state.status], state.error)
    if state.completed_at is not None:
        progress.completed_at = datetime.fromtimestamp(state.completed_at)


def _states(
    operation: str, arguments: dict[str, Any], address: str, environment: Environment | None
) -> Generator[TransferState, None, None]:
    """Yield each state of a transfer, the final one last, over as many connections as it takes.

    Raises CacheServiceError when the daemon is gone, or knows no such transfer.
    """
    operation_id = ""
    heard_at = time.monotonic()
    while True:
        try:
            with DaemonCall(operation, arguments, address, environment) as call:
                while True:
                    answer = call.next_answer(_longest_silence_seconds)
                    if answer is None:
                        break
                    state = TransferState.from_json(answer)
                    operation_id, heard_at = state.operation_id, time.monotonic()
                    yield state
                    if state.is_final:
                        return
        except CacheServiceError as error:
            absent = time.monotonic() - heard_at > _longest_absence_seconds
            if not operation_id or error.code == "NOT_FOUND" or absent:
                raise
        time.sleep(_pause_seconds)
        operation, arguments = "watch", {"operation_id": operation_id}


def _cancel(operation_id: str, address: str) -> None:
    ask("cancel_transfer", {"operation_id": operation_id}, address, _cancel_seconds)
