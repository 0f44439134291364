"""Transfers that the daemon runs, followed from here."""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Callable

from compilecache._base.answers import TransferState
from compilecache._base.background import start_in_background
from compilecache._caller.process import CallerProcess, ask
from compilecache._calls.tracked import TrackedTransfer, tracked_transfers
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

WhenEnded = Callable[[TransferState], None]


def start_daemon_transfer(
    operation: str,
    arguments: dict[str, Any],
    address: str,
    environment: Environment | None = None,
    callback: ProgressCallback | None = None,
    when_ended: WhenEnded | None = None,
) -> TrackedTransfer:
    """Start a transfer by an operation of `_caller.operations`, and follow it in the background.

    Returns when the daemon has accepted it. Raises CacheServiceError when it does not.
    """
    states = _states(operation, arguments, address, environment)
    first = next(states)
    progress = TransferProgress(
        first.operation_id, first.operation_name, AsyncTransferStatus.NOT_STARTED
    )
    transfer = TrackedTransfer(progress, partial(_cancel, first.operation_id, address))
    tracked = tracked_transfers.add(transfer)
    tracked.add_callback(callback)
    if tracked is transfer:
        follow = partial(_follow, transfer, chain([first], states), when_ended)
        start_in_background(follow)
    else:
        # It is the same transfer as an earlier one's, and followed.
        states.close()
    return tracked


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
            with CallerProcess(operation, arguments, address, environment) as call:
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
