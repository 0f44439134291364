"""Transfers of files between places, by the daemon or by a Python callback."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Callable, Union

from compilecache._calls.daemon_transfer import (
    StartedTransfer,
    request_transfer,
    start_daemon_transfer,
)
from compilecache._calls.local_transfer import start_local_transfer
from compilecache._calls.request import CacheRequest, as_unicode, cache_request
from compilecache._calls.tracked import TrackedTransfer, failed_transfer
from compilecache.statuses import AsyncTransferStatus, TransferStatus
from compilecache.transfer_progress import ProgressCallback

AnyPath = Union[str, "os.PathLike[str]"]
Copy = Callable[..., object]


def transfer(
    source: AnyPath,
    dest: AnyPath,
    callback: Copy | None = None,
    *callback_args: object,
    monitor_local: bool = True,
    monitor_b10fs: bool = True,
    **callback_kwargs: object,
) -> TransferStatus:
    """Copy `source` to `dest`, and return when that is done. Never raises.

    Without a `callback` the daemon copies a file or a directory, between the places that it is
    allowed. A callback gets source, dest and the further arguments, in a thread of its own.

    INTERRUPTED: disk space ran short. It is watched where `dest` lies: in the store's directory
    (B10FS_CACHE_DIR) if `monitor_b10fs`, elsewhere if `monitor_local`; a callback then gets a
    CacheOperationInterrupted between two of its steps. ERROR: anything else; the log says what.
    """
    work = partial(callback, source, dest, *callback_args, **callback_kwargs) if callback else None
    tracked = _start(source, dest, work, "transfer", None, monitor_local, monitor_b10fs)
    try:
        tracked.wait(None)
    # Such as Ctrl-C: the caller waits no longer.
    except BaseException:
        tracked.cancel()
        raise
    status = tracked.progress.status
    if status in (AsyncTransferStatus.SUCCESS, AsyncTransferStatus.INTERRUPTED):
        return TransferStatus[status.name]
    return TransferStatus.ERROR


def start_transfer_async(
    source: AnyPath,
    dest: AnyPath,
    callback: Copy | None = None,
    operation_name: str = "",
    progress_callback: ProgressCallback | None = None,
    monitor_local: bool = True,
    monitor_b10fs: bool = True,
    **callback_kwargs: object,
) -> str:
    """Start what `transfer` does, and return its operation id at once.

    `progress_callback` is called with that id, in another thread, after each change. The process
    does not end before a callback has returned. What cannot be started ends in ERROR.
    """
    work = partial(callback, source, dest, **callback_kwargs) if callback else None
    tracked = _start(
        source, dest, work, operation_name, progress_callback, monitor_local, monitor_b10fs
    )
    return tracked.progress.operation_id


def _start(
    source: AnyPath,
    dest: AnyPath,
    work: Callable[[], object] | None,
    name: str,
    progress_callback: ProgressCallback | None,
    monitor_local: bool,
    monitor_b10fs: bool,
) -> TrackedTransfer:
    try:
        if work:
            in_store = Path(dest).absolute().is_relative_to(_store_directory())
            watched = Path(dest) if (monitor_b10fs if in_store else monitor_local) else None
            return start_local_transfer(name or "transfer", work, watched, progress_callback)
        places = {
            "source": as_unicode(os.path.abspath(source)),
            "destination": as_unicode(os.path.abspath(dest)),
        }
        arguments = {**places, "operation_name": name}
        request = cache_request(None, None, None, None)
        start = partial(_start_in_daemon, arguments, request)
        return start_daemon_transfer(name or "transfer", start, progress_callback)
    except Exception as error:
        return failed_transfer(name or "transfer", error, progress_callback)


def _start_in_daemon(arguments: dict[str, str], request: CacheRequest) -> StartedTransfer:
    return request_transfer("copy", arguments, request.address())


def _store_directory() -> str:
    return os.environ.get("B10FS_CACHE_DIR", "").strip() or "/cache/model/compile_cache"
