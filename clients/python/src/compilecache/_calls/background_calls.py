"""Loads and saves in the background, and what can be done with any transfer.

None of these calls raises for what the daemon, the store or the network do, and none hangs.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from compilecache._base.background import within
from compilecache._base.deadlines import SHORT_CALL_SECONDS
from compilecache._calls.daemon_transfer import (
    StartedTransfer,
    follow_daemon_transfer,
    request_transfer,
    start_daemon_transfer,
)
from compilecache._calls.ended import load_has_ended, save_has_ended
from compilecache._calls.request import CacheRequest, cache_request
from compilecache._calls.torch_settings import warn_of_torch_settings
from compilecache._calls.tracked import TrackedTransfer, failed_transfer, tracked_transfers
from compilecache.exceptions import CacheServiceError
from compilecache.logger import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compilecache._base.local_directory import LocalDir
    from compilecache._base.policies import IfLocalExists, IfStoredExists
    from compilecache.environment import Environment
    from compilecache.transfer_progress import ProgressCallback, TransferProgress

# The daemon's ids, and those that `new_local_id` makes.
_operation_id = re.compile(r"(local-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What can be stopped has stopped by then.
_cancel_seconds = 2.0


def load_compile_cache_async(
    progress_callback: ProgressCallback | None = None,
    *,
    namespace: str | None = None,
    environment: Environment | None = None,
    local_dir: LocalDir | None = None,
    if_local_exists: IfLocalExists = "skip",
    address: str | None = None,
) -> str:
    """Start a load, and return its operation id at once.

    Where the daemon is, whether one has to be started and what the environment is, a thread finds
    out. The id is one of this process, and good from now on; `TransferProgress.daemon_operation_id`
    is the daemon's, for other processes, once that has accepted the load. It goes on when this
    process ends, which waits for that.

    `progress_callback` is called with the id, in another thread, after each change. A miss is a
    transfer that ends in SUCCESS, with the `outcome` DOES_NOT_EXIST. A load that cannot be started
    ends in ERROR. The other arguments are as for `load_compile_cache`.
    """
    try:
        request = cache_request(namespace, environment, local_dir, address)
        warn_of_torch_settings(request.local_dir)
        arguments = {"if_local_exists": if_local_exists}
        ended = partial(load_has_ended, request, is_merged=if_local_exists == "merge")
        start = partial(_start, "load", request, arguments)
        transfer = start_daemon_transfer("load", start, progress_callback, ended)
    except Exception as error:
        transfer = failed_transfer("load", error, progress_callback)
    return transfer.progress.operation_id


def save_compile_cache_async(
    progress_callback: ProgressCallback | None = None,
    *,
    namespace: str | None = None,
    environment: Environment | None = None,
    local_dir: LocalDir | None = None,
    if_stored_exists: IfStoredExists = "refresh",
    profile: str = "",
    address: str | None = None,
) -> str:
    """Start a save, and return its operation id at once.

    The id, and `progress_callback`, are as for `load_compile_cache_async`; the other arguments are
    as for `save_compile_cache`. The save goes on when this process ends.
    """
    try:
        request = cache_request(namespace, environment, local_dir, address)
        warn_of_torch_settings(request.local_dir)
        arguments = {"if_stored_exists": if_stored_exists, "profile": profile}
        ended = partial(save_has_ended, request)
        start = partial(_start, "save", request, arguments)
        transfer = start_daemon_transfer("save", start, progress_callback, ended)
    except Exception as error:
        transfer = failed_transfer("save", error, progress_callback)
    return transfer.progress.operation_id


def get_transfer_status(operation_id: str) -> TransferProgress | None:
    """Return the state of a transfer, which changes while it runs; None if this is no operation id.

    Ids of other processes are good, too. A transfer that the daemon no longer knows, or that was
    of a process that is gone, has ended in ERROR.
    """
    transfer = _find(operation_id)
    return transfer.progress if transfer else None


def is_transfer_complete(operation_id: str) -> bool:
    """Return whether a transfer has ended, also in failure; False if this is no operation id."""
    transfer = _find(operation_id)
    return transfer is not None and transfer.progress.status.is_final


def wait_for_completion(operation_id: str, timeout: float | None = None) -> bool:
    """Wait until a transfer has ended, also in failure, and its callbacks have been called.

    False when that took longer than `timeout` seconds, or if this is no operation id. The transfer
    goes on either way.
    """
    transfer = _find(operation_id)
    return transfer is not None and transfer.wait(timeout)


def cancel_transfer(operation_id: str) -> bool:
    """Stop a transfer. True: it was under way, and has stopped or is about to.

    Others that wait for it see it end as well. The work of a Python callback stops between two
    of its steps, by a CacheOperationInterrupted.
    """
    transfer = _find(operation_id)
    if transfer is None or transfer.progress.status.is_final:
        return False
    try:
        transfer.cancel()
    except CacheServiceError as error:
        logger.warning("transfer %s is not cancelled: %s", operation_id, error)
        return False
    transfer.wait(_cancel_seconds)
    status = transfer.progress.status
    return not status.is_final or status.name == "CANCELLED"


def list_active_transfers() -> dict[str, TransferProgress]:
    """Return the transfers of this process that have not ended, by operation id."""
    return tracked_transfers.active()


def _start(operation: str, request: CacheRequest, arguments: Mapping[str, str]) -> StartedTransfer:
    return request_transfer(
        operation,
        {**request.arguments(), **arguments, "detach": True},
        request.address(),
        request.environment(),
    )


def _find(operation_id: str) -> TrackedTransfer | None:
    """Return a transfer, and follow it from now on if another process started it."""
    transfer = tracked_transfers.get(operation_id)
    if transfer or not _operation_id.fullmatch(operation_id):
        return transfer
    try:
        if operation_id.startswith("local-"):
            raise CacheServiceError("NOT_FOUND", None, "its process has ended, or has forgotten it")
        request = cache_request(None, None, None, None)
        watch = partial(_watch, operation_id, request)
        return within(SHORT_CALL_SECONDS, watch)
    except Exception as error:
        return failed_transfer("transfer", error, None, operation_id)


def _watch(operation_id: str, request: CacheRequest) -> TrackedTransfer:
    return follow_daemon_transfer(operation_id, request.address())
