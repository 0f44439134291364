"""Transfers that a Python callback makes, in a thread of this process."""

from __future__ import annotations

import ctypes
import errno
import shutil
import threading
from pathlib import Path
from typing import Callable

from compilecache._calls.tracked import TrackedTransfer, new_local_id, tracked_transfers
from compilecache.exceptions import CacheOperationInterrupted
from compilecache.logger import logger
from compilecache.statuses import AsyncTransferStatus
from compilecache.transfer_progress import ProgressCallback, TransferProgress

# Space that is left free for the other programs that write there.
_least_free_bytes = 16 * 1024 * 1024
_space_check_seconds = 0.5
_no_space = (errno.ENOSPC, errno.EDQUOT)


def start_local_transfer(
    name: str,
    work: Callable[[], object],
    destination: Path | None,
    callback: ProgressCallback | None,
) -> TrackedTransfer:
    """Start `work` in a thread, which this process waits for before it ends.

    It is stopped when it is cancelled, and when the file system of `destination` runs short of
    space, if one is given: CacheOperationInterrupted is raised in it, between two steps of its
    Python code.
    """
    progress = TransferProgress(new_local_id(), name, AsyncTransferStatus.NOT_STARTED)
    transfer = _LocalTransfer(progress, work, destination)
    transfer.tracked.add_callback(callback)
    # Before it can end: a callback that asks about it gets an answer.
    tracked_transfers.add(transfer.tracked)
    transfer.start()
    return transfer.tracked


class _LocalTransfer:
    def __init__(
        self, progress: TransferProgress, work: Callable[[], object], destination: Path | None
    ) -> None:
        self.tracked = TrackedTransfer(progress, self._cancel)
        self._work = work
        self._lock = threading.Lock()
        self._runs = False
        self._stopped_as: AsyncTransferStatus | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="compilecache-transfer")
        self._destination = destination

    def start(self) -> None:
        self._thread.start()
        if self._destination:
            watch = threading.Thread(
                target=self._watch_space, args=[self._destination], daemon=True
            )
            watch.start()

    def _run(self) -> None:
        self.tracked.tell(lambda progress: progress.set_status(AsyncTransferStatus.IN_PROGRESS))
        status, reason = AsyncTransferStatus.SUCCESS, None
        try:
            self._run_work()
        except CacheOperationInterrupted as error:
            status = self._stopped_as or AsyncTransferStatus.INTERRUPTED
            reason = str(error) or "it was told to stop"
        # Any exception of the callback, SystemExit too, ends the transfer and not the process.
        except BaseException as error:
            short = isinstance(error, OSError) and error.errno in _no_space
            status = AsyncTransferStatus.INTERRUPTED if short else AsyncTransferStatus.ERROR
            reason = f"{type(error).__name__}: {error}"
        self._done.set()
        if reason:
            logger.error("%s failed: %s", self.tracked.progress.operation_name, reason)
        self.tracked.tell(lambda progress: progress.set_status(status, reason))

    def _run_work(self) -> None:
        try:
            with self._lock:
                self._runs = not self._stopped_as
            if self._runs:
                self._work()
        finally:
            # After this, `_stop` raises nothing in this thread.
            with self._lock:
                self._runs = False
        if self._stopped_as:
            raise CacheOperationInterrupted

    def _cancel(self) -> None:
        self._stop(AsyncTransferStatus.CANCELLED)

    def _stop(self, status: AsyncTransferStatus) -> None:
        with self._lock:
            if self._stopped_as or self._done.is_set():
                return
            self._stopped_as = status
            if self._runs:
                thread = ctypes.c_ulong(self._thread.ident or 0)
                interruption = ctypes.py_object(CacheOperationInterrupted)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, interruption)

    def _watch_space(self, destination: Path) -> None:
        ancestors = [destination, *destination.absolute().parents]
        place = next(path for path in ancestors if path.exists())
        while not self._done.is_set():
            if shutil.disk_usage(place).free < _least_free_bytes:
                self._stop(AsyncTransferStatus.INTERRUPTED)
                return
            self._done.wait(_space_check_seconds)
