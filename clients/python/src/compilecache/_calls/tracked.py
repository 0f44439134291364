"""The transfers that this process has started, or asked about."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Callable

from compilecache._base.forks import in_child_of_fork
from compilecache.logger import logger
from compilecache.statuses import AsyncTransferStatus
from compilecache.transfer_progress import ProgressCallback, TransferProgress

if TYPE_CHECKING:
    from collections.abc import Iterable

_most_finished = 1000


class TrackedTransfer:
    """A transfer whose changes one thread tells, while any may wait for its end or cancel it."""

    def __init__(self, progress: TransferProgress, cancel: Callable[[], None]) -> None:
        """Track `progress`; `cancel` tells the transfer to stop and does not wait for it."""
        self.progress = progress
        self.cancel = cancel
        self._callbacks: list[ProgressCallback] = []
        self._ended = threading.Event()
        self._teller: threading.Thread | None = None

    def add_callback(self, callback: ProgressCallback | None) -> None:
        """Tell one more of each change, from now on."""
        if callback:
            self.progress.progress_callback = callback
            self._callbacks.append(callback)

    def tell(self, change: Callable[[TransferProgress], None]) -> None:
        """Make a change to the progress, and call back. After the end there are no more changes."""
        if self._ended.is_set():
            return
        change(self.progress)
        self._teller = threading.current_thread()
        for callback in self._callbacks:
            try:
                callback(self.progress.operation_id)
            # It is the callback's own, and the transfer goes on.
            except Exception:
                logger.warning("a progress callback failed", exc_info=True)
        if self.progress.status.is_final:
            self._ended.set()

    def wait(self, seconds: float | None) -> bool:
        """Wait for the end, and for its callbacks; False when it did not come in time."""
        # The end is told after the callbacks, so one of them would wait for itself.
        if threading.current_thread() is self._teller:
            return self.progress.status.is_final
        # Locks take no longer ones.
        return self._ended.wait(None if seconds is None else min(seconds, threading.TIMEOUT_MAX))


class TransferTable:
    """Tracked transfers by operation id. The oldest that have ended are forgotten."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._transfers: dict[str, TrackedTransfer] = {}

    def get(self, operation_id: str) -> TrackedTransfer | None:
        """Return a transfer, if it is known."""
        with self._lock:
            return self._transfers.get(operation_id)

    def add(self, transfer: TrackedTransfer) -> TrackedTransfer:
        """Track a transfer. Returns the one that is tracked by this id already, if there is one."""
        with self._lock:
            known = self._transfers.setdefault(transfer.progress.operation_id, transfer)
            finished = [key for key, value in self._transfers.items() if _has_ended(value)]
            for key in finished[: max(0, len(finished) - _most_finished)]:
                del self._transfers[key]
            return known

    def add_name(self, operation_id: str, transfer: TrackedTransfer) -> None:
        """Have a tracked transfer found by the daemon's id as well."""
        with self._lock:
            self._transfers.setdefault(operation_id, transfer)

    def active(self) -> dict[str, TransferProgress]:
        """Return what has not ended."""
        with self._lock:
            transfers: Iterable[TrackedTransfer] = list(self._transfers.values())
        return {
            transfer.progress.operation_id: transfer.progress
            for transfer in transfers
            if not _has_ended(transfer)
        }

    def forget_all(self) -> None:
        """Start empty, with a new lock: the old one may be held by a thread of the parent."""
        self._lock = threading.Lock()
        self._transfers = {}


def _has_ended(transfer: TrackedTransfer) -> bool:
    return transfer.progress.status.is_final


tracked_transfers = TransferTable()
"""Those of this process. The child of a fork has no threads that tell of them, and starts empty."""

in_child_of_fork(tracked_transfers.forget_all)


def new_local_id() -> str:
    """Return an operation id for what no daemon runs."""
    return f"local-{uuid.uuid4()}"


def failed_transfer(
    name: str,
    error: Exception,
    callback: ProgressCallback | None,
    operation_id: str | None = None,
) -> TrackedTransfer:
    """Log why a transfer did not start, or is lost, and return it as one that has ended in ERROR.

    It is tracked, unless `operation_id` is given and the daemon may yet answer for it.
    """
    logger.error("%s failed: %s", name, error)
    never_begun = AsyncTransferStatus.NOT_STARTED
    progress = TransferProgress(operation_id or new_local_id(), name, never_begun)
    transfer = TrackedTransfer(progress, lambda: None)
    transfer.add_callback(callback)
    if operation_id is None:
        tracked_transfers.add(transfer)
    transfer.tell(lambda progress: progress.set_status(AsyncTransferStatus.ERROR, str(error)))
    return transfer
